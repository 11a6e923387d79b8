#include "gantry/otlp/options.hpp"

#include "../src/headers.hpp"

#include "gantry/config/loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::otlp {
namespace {

std::vector<config::Fault> faults_of(std::vector<std::string> arguments) {
    Options options;
    config::Binder binder;
    options.bind(binder);
    config::Sources sources;
    sources.arguments = std::move(arguments);
    sources.default_file = "/nowhere";
    return config::load(binder, sources).faults;
}

TEST(Options, AreOffByDefault) {
    EXPECT_TRUE(faults_of({}).empty());
    EXPECT_TRUE(Options{}.endpoint.empty());
}

TEST(Options, TakeAUrlARatioAndHeaders) {
    EXPECT_TRUE(faults_of({"--tracing.otlp_endpoint=https://collector:4318",
                           "--tracing.sampling_ratio=0.25",
                           "--tracing.otlp_headers=authorization=Bearer x, x-tenant=a"})
                    .empty());
    EXPECT_EQ(faults_of({"--tracing.otlp_endpoint=collector:4318", "--tracing.sampling_ratio=2",
                         "--tracing.otlp_headers=nonsense"})
                  .size(),
              3U);
}

TEST(Headers, AreReadOrRefusedAsAWhole) {
    using testing::ElementsAre;
    using testing::Pair;
    EXPECT_THAT(*parse_headers("a=b, c = d=e"), ElementsAre(Pair("a", "b"), Pair("c", "d=e")));
    for (const char* bad : {"a", "=b", "a b=c", "a=b\r\nx: y", "a=b,,c=d"}) {
        EXPECT_FALSE(parse_headers(bad)) << bad;
    }
}

}  // namespace
}  // namespace gantry::otlp
