#include "gantry/config/files.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gantry::config {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
protected:
    FilesTest() {
        std::string pattern = (fs::temp_directory_path() / "gantry-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
    }
    ~FilesTest() override { fs::remove_all(folder_); }

    void write(const fs::path& path, const std::string& text) const {
        fs::create_directories((folder_ / path).parent_path());
        std::ofstream(folder_ / path) << text;
    }
    // What the kubelet does: the files of a volume are links through `..data`, which one rename
    // turns to another folder.
    void swap_to(const std::string& version, const std::string& text) const {
        write(fs::path(version) / "config.yaml", text);
        fs::create_directory_symlink(version, folder_ / "..data_tmp");
        fs::rename(folder_ / "..data_tmp", folder_ / "..data");
        if (!fs::is_symlink(folder_ / "config.yaml")) {
            fs::create_symlink("..data/config.yaml", folder_ / "config.yaml");
        }
    }
    [[nodiscard]] Files config() const { return {(folder_ / "config.yaml").string(), ""}; }

    fs::path folder_;
};

TEST_F(FilesTest, StaysTheSameWhileNothingChanges) {
    write("config.yaml", "a: 1\n");
    EXPECT_EQ(state_of(config()), state_of(config()));
}

TEST_F(FilesTest, AppearingChangingReplacingAndVanishingShow) {
    const auto absent = state_of(config());
    write("config.yaml", "a: 1\n");
    const auto first = state_of(config());
    EXPECT_NE(first, absent);
    write("config.yaml", "a: 12\n");
    const auto second = state_of(config());
    EXPECT_NE(second, first);
    write("new.yaml", "a: 13\n");
    fs::rename(folder_ / "new.yaml", folder_ / "config.yaml");
    EXPECT_NE(state_of(config()), second);
    fs::remove(folder_ / "config.yaml");
    EXPECT_EQ(state_of(config()), absent);
}

TEST_F(FilesTest, ASwapOfTheDataLinkShows) {
    swap_to("..1", "a: 1\n");
    const auto first = state_of(config());
    swap_to("..2", "a: 1\n");
    EXPECT_NE(state_of(config()), first);
}

TEST_F(FilesTest, SecretsShowByNameFileAndLink) {
    write("config.yaml", "a: 1\n");
    const Files files{(folder_ / "config.yaml").string(), (folder_ / "secrets").string()};
    const auto none = state_of(files);
    write("secrets/postgres.url", "one");
    const auto first = state_of(files);
    EXPECT_NE(first, none);
    write("secrets/..hidden", "not read either");
    EXPECT_EQ(state_of(files), first);
    fs::create_directory_symlink("nowhere", folder_ / "secrets" / "..data");
    EXPECT_NE(state_of(files), first);
}

}  // namespace
}  // namespace gantry::config
