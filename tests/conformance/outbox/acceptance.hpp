#pragma once

#include "bench.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace gantry::relay {

/// The long form is run by hand: GANTRY_CONFORMANCE_LONG=1.
inline bool long_form() {
    const char* text = std::getenv("GANTRY_CONFORMANCE_LONG");  // NOLINT(concurrency-mt-unsafe)
    return text != nullptr && std::string_view(text) == "1";
}

/// A test with a database and topics of its own. It ends with what a consumer sees that has nothing
/// to do with the relay.
class Acceptance {
protected:
    explicit Acceptance(testing::Mode mode, const testing::Places& places = {})
        : mode_(mode), bench_(mode, places) {}

    /// Every event is there, once, and each key's in order.
    void expect_exactly(std::size_t count, const testing::RelayProcess& relay) {
        expect_all(count, 0, relay);
    }

    /// Every event is there and each key's first occurrences are in order.
    testing::Verdict expect_all(std::size_t count, std::size_t most_duplicates,
                                const testing::RelayProcess& relay) {
        auto verdict = bench_.watch(bench_.events(), count);
        EXPECT_EQ(verdict.different, count) << relay.log();
        EXPECT_LE(verdict.duplicates, most_duplicates) << relay.log();
        EXPECT_EQ(verdict.disorder, "");
        return verdict;
    }

    /// Whether the relay reads, so that what is committed from now on comes by its usual way.
    static bool reads(const testing::RelayProcess& relay) {
        return testing::Bench::eventually([&] {
            return relay.logged("streaming from the slot") || relay.logged("polling the outbox");
        });
    }

    bool is_wal() const { return mode_ == testing::Mode::wal; }

    testing::Mode mode_;
    testing::Bench bench_;
};

/// The same in either mode.
class InBothModes : public Acceptance, public ::testing::TestWithParam<testing::Mode> {
protected:
    InBothModes() : Acceptance(GetParam()) {}
};

inline std::string mode_name(const ::testing::TestParamInfo<testing::Mode>& mode) {
    return mode.param == testing::Mode::wal ? "Wal" : "Polling";
}

inline auto both_modes() {
    return ::testing::Values(testing::Mode::wal, testing::Mode::polling);
}

}  // namespace gantry::relay
