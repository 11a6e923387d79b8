#include "gantry/config/loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gantry::config {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Options {
    std::string brokers;
    std::string url;
    int pool_size = 4;
    std::chrono::milliseconds interval{5'000};
    ByteSize most{64 * 1024};
    bool tls = false;
    std::vector<std::string> queues{"default"};

    void bind(Binder& binder) {
        binder.add("kafka.brokers", brokers, "Brokers | host:port.").required();
        binder.add("postgres.url", url, "Where the database is.").secret();
        binder.add("postgres.pool_size", pool_size, "Connections.").range(1, 64);
        binder.add("worker.interval", interval, "Pause.").range(100, 60'000);
        binder.add("worker.most", most, "Largest message.");
        binder.add("worker.tls", tls, "Whether to use TLS.");
        binder.add("worker.queues", queues, "Queues.").reloadable();
    }
};

class ConfigTest : public testing::Test {
protected:
    ConfigTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "gantry-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        options_.bind(binder_);
        sources_.default_file = (folder_ / "none.yaml").string();
    }
    ~ConfigTest() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        std::filesystem::create_directories(folder_);
        std::ofstream(folder_ / name) << text;
        return (folder_ / name).string();
    }
    Loaded load_now() { return load(binder_, sources_); }
    static std::string text_of(const Loaded& loaded) {
        std::string text;
        for (const Fault& fault : loaded.faults) {
            text += to_string(fault) + "\n";
        }
        return text;
    }

    std::filesystem::path folder_;
    Options options_;
    Binder binder_;
    Sources sources_;
};

TEST_F(ConfigTest, LaterLayersWin) {
    const auto file =
        write("config.yaml",
              "kafka: {brokers: from-file}\n"
              "postgres:\n  pool_size: 5\n"
              "worker:\n  queues: [a, b]\n  interval: 1s\n  most: 1MiB\n  tls: true\n");
    write("secrets.d", "");
    std::filesystem::create_directories(folder_ / "secrets");
    write("secrets/postgres.url", "postgresql://u:p@h/db\n");
    write("secrets/..data", "ignored");
    sources_.environment = {{"GANTRY__POSTGRES__POOL_SIZE", "6"},
                            {"GANTRY__KAFKA__BROKERS", "env"}};
    sources_.arguments = {"--config", file, "--secrets-dir=" + (folder_ / "secrets").string(),
                          "--postgres.pool_size=7"};
    const auto loaded = load_now();
    EXPECT_EQ(text_of(loaded), "");
    EXPECT_EQ(options_.brokers, "env");
    EXPECT_EQ(options_.pool_size, 7);
    EXPECT_EQ(options_.url, "postgresql://u:p@h/db");
    EXPECT_EQ(options_.interval, 1s);
    EXPECT_EQ(options_.most.bytes, 1024U * 1024U);
    EXPECT_TRUE(options_.tls);
    EXPECT_THAT(options_.queues, ElementsAre("a", "b"));
    EXPECT_EQ(loaded.sources.at("postgres.pool_size"), "flag --postgres.pool_size");
}

TEST_F(ConfigTest, AllFaultsComeTogetherWithTheirSource) {
    const auto file = write("config.yaml", "postgres:\n  pool_size: many\n");
    sources_.environment = {{"GANTRY__WORKER__INTERVAL", "5"}};
    sources_.arguments = {"--config=" + file, "--worker.tls=maybe", "--worker.most"};
    EXPECT_THAT(
        text_of(load_now()),
        AllOf(HasSubstr("postgres.pool_size: must be a whole number (it is `many`)"),
              HasSubstr("config.yaml: line 2"), HasSubstr("[environment GANTRY__WORKER__INTERVAL]"),
              HasSubstr("worker.tls: must be true or false"),
              HasSubstr("worker.most: needs a value"), HasSubstr("kafka.brokers: is required")));
}

TEST_F(ConfigTest, UnknownKeysNameTheNearest) {
    sources_.arguments = {"--kafka.brokers=x", "--kafka.broker=x", "--zzzzzzzzzz=1"};
    const auto loaded = load_now();
    ASSERT_EQ(loaded.faults.size(), 2U);
    EXPECT_THAT(loaded.faults[0].problem, HasSubstr("did you mean `kafka.brokers`?"));
    EXPECT_EQ(loaded.faults[1].problem, "unknown setting");
}

TEST_F(ConfigTest, RangesAreSpokenInTheirUnit) {
    sources_.arguments = {"--kafka.brokers=x", "--worker.interval=2h"};
    EXPECT_THAT(text_of(load_now()), HasSubstr("must be from 100ms to 1m"));
}

TEST(ListenAddress, IsAnAddressAndAPort) {
    std::string listen;
    Binder binder;
    const Setting& setting = binder.add("x.listen", listen, "Where.").listen_address();
    for (const char* good : {"0.0.0.0:8080", "127.0.0.1:0", "[::1]:65535", "localhost:1"}) {
        EXPECT_EQ(setting.rules.front()(good), "") << good;
    }
    for (const char* bad : {"", ":", ":80", "nowhere", "x:y", "1.2.3.4", "1.2.3.4:", "1.2.3.4:-1",
                            "1.2.3.4:65536", "1.2.3.4:1 ", "::1:80", "[1.2.3.4]:80", "[::1]"}) {
        EXPECT_NE(setting.rules.front()(bad), "") << bad;
    }
}

TEST_F(ConfigTest, SecretsAreNeverShown) {
    for (auto& setting : binder_.settings()) {
        if (setting->key == "postgres.url") {
            setting->check([](std::string_view) { return std::string("must be a URL"); });
        }
    }
    sources_.arguments = {"--kafka.brokers=x", "--postgres.url=hunter2"};
    const auto loaded = load_now();
    EXPECT_THAT(text_of(loaded), AllOf(HasSubstr("must be a URL"), Not(HasSubstr("hunter2"))));
    EXPECT_THAT(print_config(binder_, loaded), AllOf(HasSubstr("***"), Not(HasSubstr("hunter2"))));
}

TEST_F(ConfigTest, MalformedYamlAndMissingFileAreFaults) {
    sources_.arguments = {"--kafka.brokers=x", "--config=" + write("bad.yaml", "a: [1\nb")};
    EXPECT_THAT(text_of(load_now()), HasSubstr("not well-formed YAML"));
    sources_.arguments = {"--kafka.brokers=x", "--config=/no/such/file"};
    EXPECT_THAT(text_of(load_now()), HasSubstr("No such file"));
    sources_.arguments = {"--kafka.brokers=x", "--config=" + folder_.string()};
    EXPECT_THAT(text_of(load_now()), HasSubstr("Is a directory"));
}

TEST_F(ConfigTest, AKeyThatStandsTwiceIsAFault) {
    sources_.arguments = {"--kafka.brokers=x", "--config=" + write("twice.yaml",
                                                                   "postgres: {pool_size: 1}\n"
                                                                   "postgres: {pool_size: 2}\n")};
    EXPECT_THAT(text_of(load_now()), AllOf(HasSubstr("postgres.pool_size: stands twice"),
                                           HasSubstr("twice.yaml: line 2")));
}

TEST_F(ConfigTest, FaultsThatSpanSettingsNameTheLayerOfTheirKey) {
    sources_.arguments = {"--kafka.brokers=x"};
    auto loaded = load_now();
    add_faults(loaded, {{"kafka.brokers", "", "must differ"},
                        {"kafka.brokers", "file a: line 2", "must be there"},
                        {"no.key", "", "is odd"}});
    EXPECT_EQ(text_of(loaded),
              "kafka.brokers: must differ [flag --kafka.brokers]\n"
              "kafka.brokers: must be there [file a: line 2]\n"
              "no.key: is odd\n");
}

TEST_F(ConfigTest, EveryPrintedValueNamesItsSource) {
    sources_.environment = {{"GANTRY__KAFKA__BROKERS", "x"}};
    std::filesystem::create_directories(folder_ / "secrets");
    const auto secret = write("secrets/postgres.url", "postgresql://u:p@h/db");
    sources_.arguments = {"--secrets-dir", (folder_ / "secrets").string(), "--worker.tls"};
    EXPECT_THAT(print_config(binder_, load_now()),
                AllOf(HasSubstr("brokers: \"x\"  # environment GANTRY__KAFKA__BROKERS\n"),
                      HasSubstr("url: \"***\"  # file " + secret + "\n"),
                      HasSubstr("tls: true  # flag --worker.tls\n"),
                      HasSubstr("pool_size: 4  # default\n")));
}

TEST_F(ConfigTest, EveryValueIsReadBackFromItsOwnText) {
    sources_.arguments = {
        "--kafka.brokers=a:1,b:2", "--worker.queues=x,y", "--worker.interval=1s500ms",
        "--worker.most=3KiB",      "--worker.tls",        "--postgres.pool_size=7"};
    ASSERT_EQ(text_of(load_now()), "");
    Options again;
    Binder binder;
    again.bind(binder);
    for (std::size_t i = 0; i < binder.settings().size(); ++i) {
        const std::string text = binder_.settings()[i]->show();
        ASSERT_TRUE(binder.settings()[i]->assign(text)) << text;
        EXPECT_EQ(binder.settings()[i]->show(), text);
    }
}

TEST_F(ConfigTest, PrintedConfigurationReadsBack) {
    sources_.arguments = {"--kafka.brokers=a:1,b:2", "--worker.queues=x,y"};
    const auto file = write("printed.yaml", print_config(binder_, load_now()));
    Options again;
    Binder binder;
    again.bind(binder);
    Sources sources;
    sources.arguments = {"--config=" + file};
    EXPECT_EQ(text_of(load(binder, sources)), "");
    EXPECT_EQ(again.brokers, "a:1,b:2");
    EXPECT_THAT(again.queues, ElementsAre("x", "y"));
}

TEST_F(ConfigTest, HelpAndTableNameEverySetting) {
    EXPECT_THAT(help(binder_, "relay", "moves events"), HasSubstr("--worker.interval=<duration>"));
    EXPECT_THAT(markdown_table(binder_), HasSubstr("| `postgres.pool_size` | integer | `4` |"));
    EXPECT_THAT(markdown_table(binder_), HasSubstr("Brokers \\| host:port."));
    EXPECT_THAT(markdown_table(binder_), HasSubstr("Pause. (from 100ms to 1m) |"));
    EXPECT_THAT(markdown_table(binder_), HasSubstr("Queues. (reloadable) |"));
    sources_.arguments = {"--help", "--nonsense"};
    EXPECT_EQ(load_now().request, Request::help);
    sources_.arguments = {"--help=markdown"};
    EXPECT_EQ(load_now().request, Request::help_markdown);
}

}  // namespace
}  // namespace gantry::config
