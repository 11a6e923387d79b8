#pragma once

#include "gantry/jobs/dispatch.hpp"
#include "gantry/jobs/enqueuer.hpp"
#include "gantry/jobs/handler.hpp"
#include "gantry/jobs/job_store.hpp"
#include "gantry/jobs/partitions.hpp"
#include "gantry/orders/handlers.hpp"
#include "gantry/orders/order_store.hpp"
#include "gantry/testing/test_database.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace gantry::orders {

/// A fresh database, and the orders' handlers run as a worker would run them.
class OrdersTest : public ::testing::Test {
protected:
    static constexpr auto kEvents = "t.events.orders";

    OrdersTest() {
        database.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
        add_handlers(registry, store, pool, kEvents);
        const std::pair<std::string, std::int32_t> partition{"t.jobs.orders", 0};
        source = jobs::PartitionStore(pool, "me").claim({&partition, 1}, 4, soon()).value().front();
    }

    static Deadline soon() { return Deadline::after(std::chrono::seconds{20}); }

    static NewOrder order(const std::string& number) {
        NewOrder one;
        one.number = number;
        one.facility = "NORTH";
        one.patient_ref = "PAT-77";
        one.items = {{"CBC", 2}};
        return one;
    }

    Order create(const std::string& number) {
        auto made = store.create(order(number), soon());
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made.value_or(Order{});
    }

    Order read(const Uuid& id) { return store.find(id, soon()).value(); }
    jobs::Job read_job(const Uuid& id) { return jobs.find(id, soon()).value(); }

    jobs::Job enqueue(const std::string& queue, const std::string& type,
                      const std::string& payload) {
        jobs::NewJob job;
        job.queue = queue;
        job.type = type;
        job.payload = payload;
        job.max_attempts = 1;
        return enqueuer.enqueue(job, soon()).value();
    }

    /// One try of a queued job, its end written; how it ended.
    jobs::Ending run(const jobs::Job& job) {
        const jobs::Wakeup wakeup{job.id, job.dispatch, {}};
        auto checked = jobs::check(pool, {&wakeup, 1}, soon()).value().front();
        if (checked.verdict != jobs::Verdict::run) {
            throw std::runtime_error("the job is not to be run");
        }
        return end(*checked.job, try_once(*checked.job));
    }

    struct Tried {
        jobs::Outcome outcome;
        jobs::JobContext::Produced produced;
    };
    Tried try_once(const jobs::Runnable& job) {
        jobs::JobContext context(job, soon(), {}, {});
        auto outcome = registry.find(job.type)->handler(context);
        return {std::move(outcome), std::move(context).take()};
    }

    jobs::Ending end(const jobs::Runnable& job, Tried tried) {
        jobs::Completion completion;
        completion.job = job.id;
        completion.dispatch = job.dispatch;
        completion.source = source;
        completion.ending = tried.outcome.ending();
        completion.attempt = job.attempt + 1;
        completion.started_at = system_clock().now();
        completion.error = tried.outcome.error().message;
        completion.reason = tried.outcome.reason();
        completion.result = tried.produced.result;
        completion.result_content_type = tried.produced.result_content_type;
        const auto& on_dead = registry.find(job.type)->on_dead;
        bool failed = false;
        applied = completions
                      .complete_with(
                          completion,
                          [&](postgres::Transaction& transaction) -> Result<void> {
                              for (const auto& effect : tried.produced.effects) {
                                  TRY(effect(transaction));
                              }
                              if (completion.ending == jobs::Ending::dead && on_dead) {
                                  TRY(on_dead(transaction, job));
                              }
                              return {};
                          },
                          soon(), failed)
                      .value();
        return completion.ending;
    }

    std::int64_t count(const std::string& from) const {
        return database.exec("SELECT count(*) FROM " + from).front().get<std::int64_t>(0);
    }
    std::int64_t events(const std::string& type) const {
        return database
            .exec("SELECT count(*) FROM gantry.outbox_message WHERE topic = $1 AND type = $2",
                  {std::string(kEvents), type})
            .front()
            .get<std::int64_t>(0);
    }

    testing::TestDatabase database;
    metrics::Registry metrics;
    postgres::Pool pool{database.options(), metrics};
    OrderStore store{pool, system_clock(), kEvents};
    jobs::Enqueuer enqueuer{pool, system_clock(), metrics};
    jobs::JobStore jobs{pool};
    jobs::CompletionStore completions{pool, "me", "t.dead.jobs"};
    jobs::Registry registry;
    jobs::Source source;
    jobs::Applied applied = jobs::Applied::unwritten;
};

}  // namespace gantry::orders
