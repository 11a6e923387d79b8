#pragma once

#include "gantry/hosting/background_service.hpp"
#include "gantry/kafka/admin.hpp"
#include "gantry/postgres/pool.hpp"
#include "options.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gantry::relay {

/// Whether a topic can be produced to.
enum class TopicState { unknown, present, missing };

/// Which topics there are, so that no record waits in the producer for a topic that never comes.
/// Thread-safe.
class TopicDirectory {
public:
    explicit TopicDirectory(Clock& clock) : clock_(clock) {}

    /// The topic's state; asks for it if it is unknown or was missing a while ago.
    TopicState look_up(const std::string& topic);

    /// The next look-up asks anew: Kafka said that the topic is gone.
    void forget(const std::string& topic);

    using Listener = std::function<void(const std::string& topic, TopicState state)>;
    /// Calls `listener` after each answer, from the answering thread; an empty one to stop. Returns
    /// when no call runs.
    void on_answer(Listener listener);

    /// The topics that are known to be there.
    [[nodiscard]] std::vector<std::string> present() const;

    /// For the service that answers: waits for questions until `until` or `stop`, and takes them.
    std::set<std::string> take_questions(SteadyTime until, const std::stop_token& stop);
    void answer(const std::string& topic, TopicState state);
    /// The question could not be answered now; it is asked again.
    void put_back(const std::set<std::string>& questions);

private:
    struct Entry {
        TopicState state = TopicState::unknown;
        SteadyTime answered{};
    };
    Clock& clock_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::condition_variable_any asked_;
    std::map<std::string, Entry> entries_;
    std::set<std::string> questions_;
    // Guarded by listener_mutex_.
    std::mutex listener_mutex_;
    Listener listener_;
};

/// Creates the declared topics and answers the directory's questions.
///
/// Declared are `<prefix>.jobs.<queue>` for every row of gantry.queue, the dead letters, orders'
/// events, HL7 topics and `relay.topics`. Looked at every `relay.topics_interval`, and at once when
/// a record needs a topic that is not known.
class TopicService final : public hosting::BackgroundService {
public:
    TopicService(std::string name, hosting::Context& context, const Options& options,
                 postgres::Pool& pool, kafka::Admin& admin, TopicDirectory& directory);
    ~TopicService() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    Result<std::vector<kafka::TopicSpec>> declared();
    Result<void> ensure_declared();
    Result<void> create(const std::vector<kafka::TopicSpec>& missing);
    /// Returns the questions that cannot be answered yet: Kafka is away, or a declared topic is
    /// still to be made. What is for it waits and is not set aside.
    std::set<std::string> answer(const std::set<std::string>& questions);

    const Options& options_;
    postgres::Pool& pool_;
    kafka::Admin& admin_;
    TopicDirectory& directory_;
    metrics::Counter& created_;
    bool brokers_create_ = false;                    // the broker makes topics itself
    std::optional<std::set<std::string>> declared_;  // nothing: not known at the moment
};

}  // namespace gantry::relay
