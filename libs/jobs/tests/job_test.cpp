#include "gantry/jobs/job.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace gantry::jobs {
namespace {

const Instant kNow{std::chrono::seconds{1'770'000'000}};

NewJob good() {
    NewJob job;
    job.queue = "default";
    job.type = "gantry.noop";
    return job;
}

TEST(State, NamesAreReadBack) {
    for (const auto state :
         {State::scheduled, State::queued, State::running, State::succeeded, State::retrying,
          State::dead, State::cancelled, State::blocked, State::held, State::throttled}) {
        EXPECT_EQ(parse_state(to_string(state)), state);
    }
    EXPECT_EQ(parse_state("gone"), std::nullopt);
}

TEST(State, OnlyEndsAreFinal) {
    EXPECT_TRUE(is_final(State::succeeded) && is_final(State::dead) && is_final(State::cancelled));
    EXPECT_FALSE(is_final(State::running) || is_final(State::retrying) || is_final(State::queued));
}

TEST(NewJob, AGoodOnePasses) {
    auto job = good();
    EXPECT_TRUE(validate(job, kNow));
    job.queue = std::string(63, 'q');
    job.type = "A" + std::string(199, '-');
    job.payload = std::string(kMaxPayload, '\0');
    job.key = "Station 3 – Müller";
    job.max_attempts = kMaxAttempts;
    job.timeout = std::chrono::hours{24};
    job.run_at = kNow - std::chrono::hours{1};
    EXPECT_TRUE(validate(job, kNow));
}

TEST(NewJob, EachFieldAtFaultIsNamedWithoutItsValue) {
    const std::vector<std::pair<std::string, std::function<void(NewJob&)>>> faults{
        {"queue", [](NewJob& job) { job.queue = ""; }},
        {"queue", [](NewJob& job) { job.queue = "Default"; }},
        {"queue", [](NewJob& job) { job.queue = std::string(64, 'q'); }},
        {"type", [](NewJob& job) { job.type = ""; }},
        {"type", [](NewJob& job) { job.type = "1x"; }},
        {"type", [](NewJob& job) { job.type = "a b"; }},
        {"type", [](NewJob& job) { job.type = std::string(201, 't'); }},
        {"payload", [](NewJob& job) { job.payload = std::string(kMaxPayload + 1, 'x'); }},
        {"content_type", [](NewJob& job) { job.content_type = ""; }},
        {"content_type", [](NewJob& job) { job.content_type = "text/\n"; }},
        {"key", [](NewJob& job) { job.key = std::string("a\0b", 3); }},
        {"key", [](NewJob& job) { job.key = std::string(256, 'k'); }},
        {"unique_key", [](NewJob& job) { job.unique_key = "\xff"; }},
        {"request_id", [](NewJob& job) { job.request_id = std::string(256, 'r'); }},
        {"max_attempts", [](NewJob& job) { job.max_attempts = -1; }},
        {"max_attempts", [](NewJob& job) { job.max_attempts = 1'001; }},
        {"run_at", [](NewJob& job) { job.run_at = kNow + std::chrono::hours{24 * 3'651}; }},
        {"timeout", [](NewJob& job) { job.timeout = milliseconds{0}; }},
        {"timeout", [](NewJob& job) { job.timeout = std::chrono::hours{25}; }},
    };
    for (const auto& [field, spoil] : faults) {
        auto job = good();
        job.payload = "Anna Müller";
        spoil(job);
        const auto valid = validate(job, kNow);
        ASSERT_FALSE(valid) << field;
        EXPECT_EQ(valid.error().code, Code::invalid_argument);
        ASSERT_EQ(valid.error().fields.size(), 1U) << field;
        EXPECT_EQ(valid.error().fields.front().field, field);
        EXPECT_EQ(valid.error().message.find("Müller"), std::string::npos);
    }
}

TEST(NewJob, AllFaultsAreReportedTogether) {
    NewJob job;
    job.max_attempts = -1;
    const auto valid = validate(job, kNow);
    ASSERT_FALSE(valid);
    EXPECT_EQ(valid.error().fields.size(), 3U) << valid.error().message;
}

TEST(Names, QueuesAndTypesHaveTheirAlphabets) {
    EXPECT_TRUE(is_queue_name("a-1"));
    EXPECT_FALSE(is_queue_name("a_1"));
    EXPECT_TRUE(is_job_type("orders.import_hl7-2"));
    EXPECT_FALSE(is_job_type(".x"));
    EXPECT_FALSE(is_job_type("x/y"));
}

}  // namespace
}  // namespace gantry::jobs
