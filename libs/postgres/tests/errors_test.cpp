#include "../src/errors.hpp"

#include <gtest/gtest.h>

namespace gantry::postgres {
namespace {

TEST(SqlState, MapsToTheCodeACallerCanActOn) {
    EXPECT_EQ(error_of_sqlstate("40001", "").code, Code::aborted);
    EXPECT_EQ(error_of_sqlstate("57P01", "").code, Code::unavailable);
    EXPECT_EQ(error_of_sqlstate("23505", "").code, Code::already_exists);
    EXPECT_EQ(error_of_sqlstate("55P03", "").code, Code::deadline_exceeded);
    EXPECT_EQ(error_of_sqlstate("42P01", "ERROR:  relation \"x\" does not exist\n").message,
              "relation \"x\" does not exist");
    EXPECT_EQ(error_of_sqlstate("XX000", "anything").message, "the database refused a statement");
}

TEST(SqlState, KeepsTheRulesOfOurOwnFunctions) {
    const auto error =
        error_of_sqlstate("22023", "ERROR:  queue: not declared\nCONTEXT:  PL/pgSQL\n");
    EXPECT_EQ(error.code, Code::invalid_argument);
    EXPECT_EQ(error.message, "queue: not declared");
    EXPECT_EQ(error.reason, "22023");
}

TEST(SqlState, NeverRepeatsValues) {
    for (const auto* state : {"22P02", "23505", "23514", "22001"}) {
        const auto error = error_of_sqlstate(state, "ERROR:  something about \"Jane Doe\"\n");
        EXPECT_EQ(error.message.find("Jane"), std::string::npos) << state;
    }
}

}  // namespace
}  // namespace gantry::postgres
