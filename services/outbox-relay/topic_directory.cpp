#include "topic_directory.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/logging/log.hpp"

#include <algorithm>

namespace gantry::relay {
namespace {

constexpr milliseconds kMissingFor{10'000};
constexpr std::size_t kMostEntries = 10'000;
constexpr milliseconds kAdminTimeout{10'000};
constexpr milliseconds kLookUpTimeout{3'000};
constexpr milliseconds kBeat{1'000};

constexpr const char* kHl7Codes[] = {"ack", "adt", "bar", "dft", "mdm", "mfn", "oml", "omp",
                                     "orl", "orm", "oru", "orr", "rde", "siu", "vxu", "other"};

}  // namespace

TopicState TopicDirectory::look_up(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(topic);
    if (found != entries_.end() && (found->second.state == TopicState::present ||
                                    clock_.steady_now() - found->second.answered < kMissingFor)) {
        return found->second.state;
    }
    if (questions_.insert(topic).second) {
        asked_.notify_all();
    }
    return TopicState::unknown;
}

void TopicDirectory::forget(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    entries_.erase(topic);
}

void TopicDirectory::on_answer(Listener listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = std::move(listener);
}

std::set<std::string> TopicDirectory::take_questions(SteadyTime until,
                                                     const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    asked_.wait_until(lock, stop, until, [this] { return !questions_.empty(); });
    return std::exchange(questions_, {});
}

void TopicDirectory::answer(const std::string& topic, TopicState state) {
    {
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= kMostEntries) {
            entries_.clear();  // names of missing topics are anyone's
        }
        entries_[topic] = {state, clock_.steady_now()};
    }
    const std::lock_guard lock(listener_mutex_);
    if (listener_) {
        listener_(topic, state);
    }
}

std::vector<std::string> TopicDirectory::present() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> topics;
    for (const auto& [topic, entry] : entries_) {
        if (entry.state == TopicState::present) {
            topics.push_back(topic);
        }
    }
    return topics;
}

void TopicDirectory::put_back(const std::set<std::string>& questions) {
    const std::lock_guard lock(mutex_);
    questions_.insert(questions.begin(), questions.end());
}

TopicService::TopicService(std::string name, hosting::Context& context, const Options& options,
                           postgres::Pool& pool, kafka::Admin& admin, TopicDirectory& directory)
    : BackgroundService(std::move(name), context),
      options_(options),
      pool_(pool),
      admin_(admin),
      directory_(directory),
      created_(context.metrics.counter("gantry_outbox_topics_created_total",
                                       "Topics that the relay created.")) {}

Result<void> TopicService::execute(std::stop_token stop) {
    Backoff backoff({.base = milliseconds{250}, .cap = milliseconds{5'000}});
    auto next = context().clock.steady_now();
    while (!stop.stop_requested()) {
        beat();
        const auto now = context().clock.steady_now();
        auto questions = directory_.take_questions(std::min(next, now + kBeat), stop);
        if (context().clock.steady_now() < next && questions.empty()) {
            continue;
        }
        // A question may be about a queue that was declared just now.
        auto outcome = ensure_declared();
        const auto open = answer(questions);
        directory_.put_back(open);
        if (outcome && open.empty()) {
            backoff.reset();
            report(health::Status::healthy, "");
            next = context().clock.steady_now() + options_.relay.topics_interval;
            continue;
        }
        if (!outcome) {
            report(health::Status::degraded, "declared topics: " + outcome.error().reason);
            if (backoff.failures() == 0) {
                logging::warning("the declared topics cannot be ensured", outcome.error());
            }
        }
        next = context().clock.steady_now() + backoff.next();
        context().clock.sleep_until(next, stop);
    }
    return {};
}

Result<std::vector<kafka::TopicSpec>> TopicService::declared() {
    const auto& kafka = options_.kafka;
    const auto& relay = options_.relay;
    std::map<std::string, kafka::TopicSpec> specs;
    const auto add = [&](const std::string& name, int partitions) {
        specs.try_emplace(name, kafka::TopicSpec{name, partitions, relay.replication_factor, {}});
    };
    const auto queues = TRY(
        pool_.exec(Deadline::after(kAdminTimeout), "SELECT name, partitions FROM gantry.queue"));
    for (const auto queue : queues) {
        add(kafka.topic("jobs." + queue.get<std::string>(0)), queue.get<int>(1));
    }
    for (const auto* name : {"dead.jobs", "events.orders"}) {
        add(kafka.topic(name), relay.partitions);
    }
    for (const auto* code : kHl7Codes) {
        add(kafka.topic(std::string("hl7.") + code), relay.partitions);
    }
    for (const auto& topic : relay.topics) {
        add(topic, relay.partitions);
    }
    std::vector<kafka::TopicSpec> list;
    for (auto& [name, spec] : specs) {
        list.push_back(std::move(spec));
    }
    return list;
}

Result<void> TopicService::ensure_declared() {
    declared_.reset();
    auto wanted = TRY(declared());
    declared_.emplace();
    for (const auto& spec : wanted) {
        declared_->insert(spec.name);
    }
    const auto present = TRY(admin_.topics(Deadline::after(kAdminTimeout)));
    std::vector<kafka::TopicSpec> missing;
    for (auto& spec : wanted) {
        if (present.contains(spec.name)) {
            directory_.answer(spec.name, TopicState::present);
        } else {
            missing.push_back(std::move(spec));
        }
    }
    if (missing.empty() || brokers_create_) {
        return {};
    }
    return create(missing);
}

Result<void> TopicService::create(const std::vector<kafka::TopicSpec>& missing) {
    const auto outcomes = admin_.create_topics(missing, Deadline::after(kAdminTimeout));
    if (!outcomes) {
        if (outcomes.error().code == Code::unimplemented) {
            brokers_create_ = true;
            logging::info("the broker cannot create topics by request; it makes them when used");
            return {};
        }
        return std::unexpected(outcomes.error());
    }
    Result<void> all;
    for (const auto& outcome : *outcomes) {
        if (!outcome.result) {
            all = outcome.result;
            continue;
        }
        if (outcome.changed) {
            created_.increment();
            logging::info("created topic", {{"topic", outcome.topic}});
        }
        directory_.answer(outcome.topic, TopicState::present);
    }
    return all;
}

std::set<std::string> TopicService::answer(const std::set<std::string>& questions) {
    std::set<std::string> open;
    for (const auto& topic : questions) {
        beat();
        const auto partitions = admin_.partitions(topic, Deadline::after(kLookUpTimeout));
        const bool awaited = !declared_ || declared_->contains(topic);
        if (partitions && *partitions) {
            directory_.answer(topic, TopicState::present);
        } else if (partitions && !awaited) {
            directory_.answer(topic, TopicState::missing);
        } else if (!partitions && (partitions.error().code == Code::invalid_argument ||
                                   partitions.error().code == Code::permission_denied)) {
            // Kafka refuses the topic as such; the producer will say so for each record.
            directory_.answer(topic, TopicState::present);
        } else {
            open.insert(topic);
        }
    }
    return open;
}

}  // namespace gantry::relay
