#pragma once

#include "gantry/jobs/completion.hpp"
#include "gantry/jobs/dispatch.hpp"
#include "gantry/jobs/enqueuer.hpp"
#include "gantry/jobs/job_store.hpp"
#include "gantry/jobs/partitions.hpp"
#include "gantry/testing/test_database.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gantry::jobs {

/// A fresh database whose wake-ups are rows, so that a test can read them.
class JobsTest : public ::testing::Test {
protected:
    static constexpr auto kTopic = "t.jobs.default";

    JobsTest() {
        database.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
        source = claim("me");
    }

    Source claim(const std::string& owner) {
        const std::pair<std::string, std::int32_t> partition{kTopic, 0};
        PartitionStore partitions(pool, owner);
        return partitions.claim({&partition, 1}, 4, soon()).value().front();
    }

    static Deadline soon() { return Deadline::after(std::chrono::seconds{20}); }

    Job enqueue(const NewJob& job) {
        auto made = enqueuer.enqueue(job, soon());
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made.value_or(Job{});
    }

    static NewJob noop() {
        NewJob job;
        job.queue = "default";
        job.type = "gantry.noop";
        return job;
    }

    Completion completion(const Job& job, Ending ending) const {
        Completion c;
        c.job = job.id;
        c.dispatch = job.dispatch;
        c.source = source;
        c.ending = ending;
        c.attempt = job.attempt + 1;
        c.started_at = system_clock().now();
        return c;
    }

    Applied complete(const Completion& c) {
        auto answers = completions.complete({&c, 1}, soon());
        EXPECT_TRUE(answers) << (answers ? "" : answers.error().message);
        return answers ? answers->front() : Applied::refused;
    }

    Job read(const Uuid& id) {
        auto job = store.find(id, soon());
        EXPECT_TRUE(job) << (job ? "" : job.error().message);
        return job.value_or(Job{});
    }

    /// Dispatches of the wake-ups of a job, in order.
    std::vector<std::int64_t> wakeups(const Uuid& id) const {
        std::vector<std::int64_t> found;
        for (const auto row : database.exec(
                 "SELECT dispatch FROM gantry.outbox_wakeup WHERE job = $1 ORDER BY id", {id})) {
            found.push_back(row.get<std::int64_t>(0));
        }
        return found;
    }

    std::int64_t count(const std::string& from) const {
        return database.exec("SELECT count(*) FROM " + from).front().get<std::int64_t>(0);
    }

    testing::TestDatabase database;
    metrics::Registry metrics;
    postgres::Pool pool{database.options(), metrics};
    Enqueuer enqueuer{pool, system_clock(), metrics};
    JobStore store{pool};
    CompletionStore completions{pool, "me", "t.dead.jobs"};
    Source source;
};

}  // namespace gantry::jobs
