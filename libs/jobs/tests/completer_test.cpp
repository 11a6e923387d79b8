#include "gantry/jobs/completer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>

namespace gantry::jobs {
namespace {

/// Answers what the test says, and can be held or be away.
class FakeSink : public CompletionSink {
public:
    Result<std::vector<Applied>> complete(std::span<const Completion> completions) override {
        std::unique_lock lock(mutex_);
        ++writes_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        if (away_) {
            return fail(Code::unavailable, "away", "DATABASE_UNAVAILABLE");
        }
        std::vector<Applied> answers;
        for (const auto& one : completions) {
            if (poison_.contains(one.job) && (one.result || stubborn_)) {
                return fail(Code::invalid_argument, "a value has not the form of its type",
                            "22021");
            }
            answers.push_back(refused_.contains(one.job) ? Applied::refused : Applied::done);
        }
        batches_.push_back(completions.size());
        for (const auto& one : completions) {
            written_.insert_or_assign(one.job, one);
        }
        return answers;
    }
    Result<std::vector<Applied>> lease(std::span<const LeaseRequest> requests) override {
        const std::lock_guard lock(mutex_);
        leased_ += requests.size();
        if (lease_fault_) {
            return fail(Code::internal, "broken");
        }
        return std::vector<Applied>(requests.size(), Applied::done);
    }

    void set(const std::function<void(FakeSink&)>& change) {
        {
            const std::lock_guard lock(mutex_);
            change(*this);
        }
        changed_.notify_all();
    }
    void wait_for_writes(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return writes_ >= count; });
    }
    std::optional<Completion> written(const Uuid& job) {
        const std::lock_guard lock(mutex_);
        const auto found = written_.find(job);
        return found == written_.end() ? std::nullopt : std::optional(found->second);
    }

    // Guarded by mutex_, through `set`.
    bool held_ = false;
    bool away_ = false;
    bool stubborn_ = false;
    bool lease_fault_ = false;
    std::set<Uuid> poison_;
    std::set<Uuid> refused_;
    std::vector<std::size_t> batches_;
    std::size_t leased_ = 0;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int writes_ = 0;
    std::map<Uuid, Completion> written_;
};

class CompleterTest : public ::testing::Test {
protected:
    static Completion completion() {
        Completion one;
        one.job = Uuid::v7();
        one.dispatch = 1;
        one.result = "r";
        return one;
    }
    std::future<Applied> complete(Completion one) {
        auto promise = std::make_shared<std::promise<Applied>>();
        auto answer = promise->get_future();
        completer->complete(std::move(one),
                            [promise](Applied applied) { promise->set_value(applied); });
        return answer;
    }
    bool flush() { return completer->flush(Deadline::after(std::chrono::seconds{20})); }

    metrics::Registry metrics;
    FakeSink sink;
    std::unique_ptr<Completer> completer =
        std::make_unique<Completer>(sink, system_clock(), metrics);
};

TEST_F(CompleterTest, AnswersWhatTheStoreSays) {
    const auto good = completion();
    const auto moved_on = completion();
    sink.set([&](FakeSink& it) { it.refused_.insert(moved_on.job); });
    auto first = complete(good);
    auto second = complete(moved_on);
    EXPECT_EQ(first.get(), Applied::done);
    EXPECT_EQ(second.get(), Applied::refused);
}

TEST_F(CompleterTest, WritesTogetherWhatGathersDuringAWrite) {
    sink.set([](FakeSink& it) { it.held_ = true; });
    complete(completion());
    sink.wait_for_writes(1);
    for (int i = 0; i < 1'500; ++i) {
        complete(completion());
    }
    EXPECT_EQ(completer->waiting(), 1'501U);
    sink.set([](FakeSink& it) { it.held_ = false; });
    ASSERT_TRUE(flush());
    EXPECT_EQ(sink.batches_, (std::vector<std::size_t>{1, 1'000, 500}));
    EXPECT_EQ(completer->waiting(), 0U);
}

TEST_F(CompleterTest, LargeResultsMakeSmallerBatches) {
    sink.set([](FakeSink& it) { it.held_ = true; });
    complete(completion());
    sink.wait_for_writes(1);
    for (int i = 0; i < 20; ++i) {
        auto one = completion();
        one.result = std::string(std::size_t{1} << 20, 'x');
        complete(std::move(one));
    }
    sink.set([](FakeSink& it) { it.held_ = false; });
    ASSERT_TRUE(flush());
    EXPECT_LE(*std::ranges::max_element(sink.batches_), 9U);
}

TEST_F(CompleterTest, WaitsOutAnOutage) {
    sink.set([](FakeSink& it) { it.away_ = true; });
    auto answer = complete(completion());
    sink.wait_for_writes(2);
    EXPECT_TRUE(completer->stalled());
    EXPECT_FALSE(completer->flush(Deadline::after(milliseconds{20})));
    sink.set([](FakeSink& it) { it.away_ = false; });
    EXPECT_EQ(answer.get(), Applied::done);
    ASSERT_TRUE(flush());
    EXPECT_FALSE(completer->stalled());
}

TEST_F(CompleterTest, OneThatIsRefusedForItsContentBecomesAFailureAndHoldsUpNobody) {
    const auto bad = completion();
    const auto good = completion();
    sink.set([&](FakeSink& it) {
        it.held_ = true;
        it.poison_.insert(bad.job);
    });
    complete(completion());
    sink.wait_for_writes(1);
    auto first = complete(bad);
    auto second = complete(good);
    sink.set([](FakeSink& it) { it.held_ = false; });
    EXPECT_EQ(second.get(), Applied::done);
    EXPECT_EQ(first.get(), Applied::done);
    EXPECT_EQ(sink.written(bad.job)->ending, Ending::retrying);
    EXPECT_FALSE(sink.written(bad.job)->result);
}

TEST_F(CompleterTest, OneThatCannotBeWrittenAtAllIsNotCalledRefused) {
    // A refused end gives its record away, and the job would be lost.
    const auto bad = completion();
    sink.set([&](FakeSink& it) {
        it.poison_.insert(bad.job);
        it.stubborn_ = true;
    });
    EXPECT_EQ(complete(bad).get(), Applied::unwritten);
}

TEST_F(CompleterTest, LeasesComeBeforeTheEndsOfTheSameBatch) {
    std::promise<Applied> leased;
    completer->lease({}, [&](Applied applied) { leased.set_value(applied); });
    EXPECT_EQ(leased.get_future().get(), Applied::done);
    EXPECT_EQ(sink.leased_, 1U);
}

TEST_F(CompleterTest, ALeaseThatCannotBeWrittenIsNotCalledRefused) {
    sink.set([](FakeSink& it) { it.lease_fault_ = true; });
    std::promise<Applied> leased;
    completer->lease({}, [&](Applied applied) { leased.set_value(applied); });
    EXPECT_EQ(leased.get_future().get(), Applied::unwritten);
}

TEST_F(CompleterTest, GoesAwayDuringAnOutage) {
    sink.set([](FakeSink& it) { it.away_ = true; });
    complete(completion());
    sink.wait_for_writes(1);
    completer.reset();
}

TEST(RefusesContent, TellsAMomentFromAFault) {
    const auto error = [](Code code, std::string reason = {}) {
        return Error{code, "", std::move(reason), {}};
    };
    EXPECT_TRUE(refuses_content(error(Code::invalid_argument, "22021")));
    EXPECT_TRUE(refuses_content(error(Code::failed_precondition, "23503")));
    for (const auto& passing :
         {error(Code::unavailable), error(Code::aborted), error(Code::deadline_exceeded),
          error(Code::unknown), error(Code::permission_denied, "42501"),
          error(Code::failed_precondition, "42P01"), error(Code::resource_exhausted, "53100")}) {
        EXPECT_FALSE(refuses_content(passing)) << passing.reason;
    }
}

}  // namespace
}  // namespace gantry::jobs
