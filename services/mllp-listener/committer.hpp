#pragma once

#include "gantry/base/backoff.hpp"
#include "gantry/channel/channel.hpp"
#include "gantry/health/heartbeat.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"
#include "intake.hpp"
#include "listener_metrics.hpp"
#include "message_store.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

namespace gantry::mllp {

/// Something to be made durable for a connection.
struct Work {
    std::uint64_t connection = 0;
    std::uint64_t sequence = 0;
    SteadyTime received;
    std::variant<NewMessage, Quarantined> item;
    /// The connection's, for messages: true once one of its messages gets no answer. Nothing behind
    /// that one is stored, or the sender's repeats would be out of order.
    std::shared_ptr<std::atomic<bool>> gave_up;

    /// Bytes that it holds in memory.
    [[nodiscard]] std::size_t bytes() const;
};

/// The answer to a piece of work. Quarantined work gets none here: its answer needs no commit.
struct Completion {
    std::uint64_t connection = 0;
    std::uint64_t sequence = 0;
    std::size_t bytes = 0;  ///< What the work held in memory.
    std::optional<Answer> answer;
};

/// Commits messages of all connections together and says afterwards how each is answered.
///
/// A thread takes whatever waits as soon as its last commit is done: alone a message never waits
/// for company, under load many share one fsync. A batch that a working store refuses is halved
/// until the bad message stands alone; it fails and its neighbours do not. While the store is away
/// or takes no message at all a batch is tried again until its messages have waited `store_wait`;
/// then their connections are closed without an answer, as they are when a commit's outcome stays
/// unknown. AA is said only by `MessageStore::store`'s success.
class Committer final : public hosting::HostedService {
public:
    struct Events {
        /// Completed work, in order. Called by a committer's thread.
        std::function<void(std::vector<Completion>)> completed;
        /// The store went away or came back. Called by a committer's thread.
        std::function<void(bool up)> store_changed;
    };

    Committer(const Options& options, hosting::Context& context, MessageStore& store,
              const Intake& intake, ListenerMetrics& metrics);
    ~Committer() override;

    /// Who is told. Call before `start`.
    void subscribe(Events events) { events_ = std::move(events); }

    Result<void> start(std::stop_token aborted) override;
    /// Commits what waits, then ends.
    Result<void> stop(Deadline limit) override;

    /// Work of one connection goes to one thread, so that it is committed in order.
    [[nodiscard]] bool has_room(std::uint64_t connection) const;

    /// Queues `work`. Only after `has_room` and only from one thread; false once stopped.
    bool submit(Work work);

    [[nodiscard]] bool store_up() const { return store_up_.load(); }

private:
    // A queue and the thread that commits it.
    struct Lane {
        Lane(std::size_t capacity, std::shared_ptr<channel::Meter> meter)
            : queue({.capacity = capacity, .meter = std::move(meter)}) {}
        channel::Channel<std::unique_ptr<Work>> queue;
        std::shared_ptr<health::Heartbeat> heartbeat;
        std::jthread thread;
    };
    using Batch = std::vector<std::unique_ptr<Work>>;
    using Works = std::vector<const Work*>;

    void run(Lane& lane, std::stop_token stop);
    void commit(Lane& lane, Batch batch, std::stop_token stop);
    void store_messages(Lane& lane, Works works, std::stop_token stop,
                        std::vector<Completion>& completions);
    Result<std::vector<Stored>> attempt(const Works& works);
    void close_hopeless(Works& works, bool go_on, std::vector<Completion>& completions);
    void refuse(const Work& work, const Error& error, std::vector<Completion>& completions);
    void quarantine(std::span<const Quarantined* const> items);
    bool wait_for_store(Lane& lane, const Error& error, Backoff& backoff, std::stop_token stop);
    void probe_store();
    void set_store_up(bool up);
    Completion accept(const Work& work, Stored stored);
    Completion close(const Work& work, std::string_view reason);

    // Constant after construction.
    std::size_t batch_size_;
    std::size_t batch_bytes_;
    std::size_t capacity_;
    std::chrono::milliseconds store_wait_;
    hosting::Context* context_;
    MessageStore* store_;
    const Intake* intake_;
    ListenerMetrics* metrics_;
    health::Reporter* reporter_;
    Events events_;
    // Self-synchronised.
    std::atomic<bool> store_up_{true};
    std::mutex store_changed_mutex_;
    // Must stay last: their threads use everything above.
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace gantry::mllp
