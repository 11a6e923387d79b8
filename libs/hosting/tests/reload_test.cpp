#include "../src/reload.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace gantry::hosting {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Options {
    int least = 1;
    int most = 10;
    std::string place = "here";
    std::string password;
    void bind(config::Binder& binder) {
        binder.add("work.least", least, "Least.").range(0, 100).reloadable();
        binder.add("work.most", most, "Most.").range(0, 100);
        binder.add("work.place", place, "Where.");
        binder.add("work.password", password, "Secret.").secret().reloadable();
    }
    [[nodiscard]] std::vector<config::Fault> validate() const {
        if (place == "nowhere") {
            throw std::runtime_error("the place cannot be looked at");
        }
        if (most < least) {
            return {{"work.most", "", "must not be less than work.least"}};
        }
        return {};
    }
};

/// A process that has started with a file and a folder of secrets, and its reloader.
class ReloadTest : public testing::Test {
protected:
    ReloadTest() {
        std::string pattern = (fs::temp_directory_path() / "gantry-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        sources_.arguments = {"--config", (folder_ / "config.yaml").string(), "--secrets-dir",
                              (folder_ / "secrets").string()};
        write("secrets/work.password", "first-secret");
    }
    ~ReloadTest() override {
        reloader_.reset();
        fs::remove_all(folder_);
    }

    void write(const fs::path& name, const std::string& text) const {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << text;
    }
    void write_config(const std::string& text) const { write("config.yaml", text); }

    void start(const std::string& text) {
        write_config(text);
        common_.bind(binder_);
        options_->bind(binder_);
        const auto loaded = config::load(binder_, sources_);
        ASSERT_TRUE(loaded.faults.empty()) << config::to_string(loaded.faults.front());
        program_.name = "test";
        program_.bind_scratch = [this](config::Binder& binder) {
            auto fresh = std::make_shared<Options>();
            fresh->bind(binder);
            return Scratch{fresh, [fresh] { return validate_options(*fresh); },
                           [this, fresh] { live_.replace(fresh); }};
        };
        reloader_ = std::make_unique<Reloader>(program_, rig_.context, sources_, binder_, loaded);
    }

    double count(const char* outcome) {
        return rig_.metrics.counter("gantry_config_reloads_total", "", {{"outcome", outcome}})
            .value();
    }
    health::Snapshot check() {
        const auto all = rig_.health.snapshot();
        const auto found = std::ranges::find(all, "config", &health::Snapshot::name);
        return found == all.end() ? health::Snapshot{} : *found;
    }
    void expect_nothing_noticed(int looks) {
        for (int i = 0; i < looks; ++i) {
            reloader_->look();
        }
        EXPECT_EQ(count("success") + count("refused"), 0);
    }

    fs::path folder_;
    Rig rig_;
    Program program_;
    CommonOptions common_;
    config::Sources sources_;
    config::Binder binder_;
    std::shared_ptr<Options> options_ = std::make_shared<Options>();
    config::Live<Options> live_{std::shared_ptr<const Options>(options_)};
    std::unique_ptr<Reloader> reloader_;
    logging::Capture log_;
};

TEST_F(ReloadTest, ChangesWhatIsReloadableInTheNextSnapshotAndNothingElse) {
    start("work: {least: 1, place: here}\n");
    const auto before = live_.get();
    write_config("work: {least: 5, place: there}\n");
    reloader_->reload();
    EXPECT_EQ(before->least, 1);
    EXPECT_EQ(live_.get()->least, 5);
    EXPECT_EQ(live_.get()->place, "here");
    EXPECT_EQ(options_->least, 1) << "what the app got at start never changes";
    EXPECT_THAT(log_.text(), AllOf(HasSubstr(R"("setting reloaded","key":"work.least")"),
                                   HasSubstr(R"(restart","key":"work.place")")));
    EXPECT_EQ(count("success"), 1);
    EXPECT_EQ(check().status, health::Status::healthy);
    EXPECT_THAT(check().detail, HasSubstr("waits for a restart: work.place"));
}

TEST_F(ReloadTest, RefusesAReloadWithAnyFaultAsAWholeAndNamesThemAll) {
    start("work: {least: 1}\n");
    write_config("work: {least: 7, most: 1000, plaice: there}\n");
    reloader_->reload();
    EXPECT_EQ(live_.get()->least, 1);
    EXPECT_EQ(count("refused"), 1);
    EXPECT_EQ(count("success"), 0);
    EXPECT_EQ(check().status, health::Status::degraded);
    EXPECT_THAT(log_.text(), AllOf(HasSubstr("work.most: must be from 0 to 100"),
                                   HasSubstr("did you mean `work.place`?")));
    write_config("work: {least: 8}\n");
    reloader_->reload();
    EXPECT_EQ(live_.get()->least, 8);
    EXPECT_EQ(check().status, health::Status::healthy);
}

TEST_F(ReloadTest, ValidatesWhatWouldHoldTogetherWithTheOldValues) {
    start("work: {least: 1, most: 10}\n");
    write_config("work: {least: 20, most: 30}\n");
    reloader_->reload();
    EXPECT_EQ(live_.get()->least, 1) << "20 would stand beside the old 10";
    EXPECT_EQ(count("refused"), 1);
    EXPECT_THAT(log_.text(), HasSubstr("together with settings that wait for a restart"));
}

TEST_F(ReloadTest, AThrowingValidationRefusesTheReload) {
    start("work: {least: 1}\n");
    write_config("work: {least: 2, place: nowhere}\n");
    reloader_->reload();
    EXPECT_EQ(live_.get()->least, 1);
    EXPECT_EQ(count("refused"), 1);
    EXPECT_THAT(log_.text(), HasSubstr("the place cannot be looked at"));
}

TEST_F(ReloadTest, SecretsRotateAndAreNeverLogged) {
    start("work: {least: 1}\n");
    write("secrets/work.password", "second-secret");
    reloader_->reload();
    EXPECT_EQ(live_.get()->password, "second-secret");
    write("secrets/work.password", "third-secret");
    write_config("work: {least: 1000}\n");
    reloader_->reload();
    EXPECT_EQ(live_.get()->password, "second-secret");
    EXPECT_THAT(log_.text(), Not(HasSubstr("-secret")));
    EXPECT_THAT(check().detail, Not(HasSubstr("-secret")));
}

TEST_F(ReloadTest, TheLevelOfTheLogFollows) {
    start("log: {level: info}\n");
    write_config("log: {level: debug}\n");
    reloader_->reload();
    EXPECT_TRUE(logging::enabled(logging::Level::debug));
    write_config("log: {level: info}\n");
    reloader_->reload();
    EXPECT_FALSE(logging::enabled(logging::Level::debug));
}

TEST_F(ReloadTest, AChangeOfTheFileIsNoticedOnceWhenItHasSettled) {
    start("work: {least: 1}\n");
    expect_nothing_noticed(3);
    write_config("work: {least: 22}\n");
    reloader_->look();
    EXPECT_EQ(count("success"), 0) << "it may still be being written";
    write_config("work: {least: 3}\n");
    reloader_->look();
    EXPECT_EQ(count("success"), 0) << "it was still being written";
    for (int i = 0; i < 5; ++i) {
        reloader_->look();
    }
    EXPECT_EQ(count("success"), 1);
    EXPECT_EQ(live_.get()->least, 3);
}

TEST_F(ReloadTest, ARefusedChangeIsNoticedOnceAsWell) {
    start("work: {least: 1}\n");
    write_config("work: {least: 1000}\n");
    for (int i = 0; i < 5; ++i) {
        reloader_->look();
    }
    EXPECT_EQ(count("refused"), 1);
}

TEST_F(ReloadTest, AReloadBySignalCountsAsHavingLooked) {
    start("work: {least: 1}\n");
    write_config("work: {least: 2}\n");
    reloader_->look();
    reloader_->reload();
    for (int i = 0; i < 3; ++i) {
        reloader_->look();
    }
    EXPECT_EQ(count("success"), 1);
}

TEST_F(ReloadTest, ASwapOfTheDataLinkIsNoticedOnce) {
    const auto swap_to = [&](const std::string& version, const std::string& text) {
        write(fs::path(version) / "config.yaml", text);
        fs::create_directory_symlink(version, folder_ / "..data_tmp");
        fs::rename(folder_ / "..data_tmp", folder_ / "..data");
    };
    swap_to("..1", "work: {least: 1}\n");
    fs::create_symlink("..data/config.yaml", folder_ / "config.yaml");
    start("work: {least: 1}\n");
    expect_nothing_noticed(2);
    swap_to("..2", "work: {least: 2}\n");
    fs::remove_all(folder_ / "..1");
    for (int i = 0; i < 5; ++i) {
        reloader_->look();
    }
    EXPECT_EQ(count("success"), 1);
    EXPECT_EQ(live_.get()->least, 2);
}

TEST_F(ReloadTest, AProgramWithoutReloadLeavesEverythingAsItIs) {
    start("work: {least: 1}\n");
    program_.bind_scratch = {};
    write_config("work: {least: 2}\n");
    reloader_->look();
    reloader_->look();
    reloader_->reload();
    EXPECT_EQ(live_.get()->least, 1);
    EXPECT_EQ(count("success") + count("refused"), 0);
}

}  // namespace
}  // namespace gantry::hosting
