#include "embedded.hpp"

#include <gtest/gtest.h>

#include <string>

namespace gantry::migrate {
namespace {

TEST(EmbeddedMigrations, AreNumberedFromOneWithoutGaps) {
    int expected = 1;
    for (const auto& migration : embedded_migrations()) {
        EXPECT_EQ(migration.version, expected++);
        EXPECT_EQ(std::stoi(std::string(migration.name.substr(0, 4))), migration.version);
    }
    EXPECT_GE(expected, 7);
}

TEST(EmbeddedMigrations, AreWholeTexts) {
    for (const auto& migration : embedded_migrations()) {
        EXPECT_TRUE(migration.sql.ends_with(";\n")) << migration.name;
        EXPECT_NE(migration.sql.find("COMMENT ON"), std::string_view::npos) << migration.name;
        // They run inside the runner's transaction.
        EXPECT_EQ(migration.sql.find("\nCOMMIT"), std::string_view::npos) << migration.name;
    }
}

}  // namespace
}  // namespace gantry::migrate
