#include "publisher.hpp"

#include "gantry/logging/log.hpp"
#include "gantry/tracing/span.hpp"

#include <algorithm>
#include <memory>

namespace gantry::relay {
namespace {

constexpr std::size_t kMostRefused = 100;
constexpr milliseconds kParkAgain{500};
constexpr milliseconds kUnknownTopicGrace{60'000};

kafka::ProducerSettings settings_of(const Options& options) {
    kafka::ProducerSettings settings;
    // The relay's own budget is the tighter one.
    settings.queue_bytes = static_cast<std::size_t>(options.relay.inflight_bytes.bytes) * 2;
    settings.queue_records = static_cast<std::size_t>(options.relay.inflight_records) + 1'000;
    settings.linger = options.relay.linger;
    // The directory knows which topics there are. A busy cluster can need more than ten seconds to
    // tell this producer of one just made, and its records must not be set aside for that.
    settings.unknown_topic_grace = kUnknownTopicGrace;
    return settings;
}

tracing::TraceContext trace_of(const kafka::Record& record) {
    const auto header = kafka::find_header(record.headers, "traceparent");
    return tracing::parse_traceparent(header.value_or("")).value_or(tracing::TraceContext{});
}

/// From the commit of a record that belongs to a trace to Kafka's acknowledgement; nothing if
/// nobody records it.
std::shared_ptr<tracing::Span> span_of(const Outgoing& outgoing) {
    if (!tracing::recording()) {
        return nullptr;
    }
    const auto trace = trace_of(outgoing.record);
    if (!trace.sampled()) {
        return nullptr;
    }
    auto span = std::make_shared<tracing::Span>("publish " + outgoing.record.topic,
                                                tracing::SpanKind::producer, trace);
    span->set("messaging.system", "kafka");
    span->set("messaging.destination.name", outgoing.record.topic);
    if (outgoing.committed != Instant{}) {
        span->started_at(outgoing.committed);
    }
    return span;
}

}  // namespace

std::string position_of(const kafka::Record& record, std::int64_t outbox_id) {
    if (outbox_id != 0) {
        return "ledger:" + std::to_string(outbox_id);
    }
    return "fast:" + std::string(kafka::find_header(record.headers, "ce_id").value_or(""));
}

Result<std::unique_ptr<Publisher>> Publisher::create(const Options& options,
                                                     metrics::Registry& metrics, Clock& clock,
                                                     TopicDirectory& topics, Stats& stats,
                                                     WakeFd& bell, Start start, Park park) {
    std::unique_ptr<Publisher> publisher(
        new Publisher(options, clock, topics, stats, bell, std::move(start), std::move(park)));
    publisher->producer_ =
        TRY(kafka::Producer::create(options.kafka, settings_of(options), metrics));
    topics.on_answer(
        [&bell, &producer = *publisher->producer_](const std::string& topic, TopicState state) {
            if (state == TopicState::present) {
                producer.prepare(topic);
            }
            bell.ring();
        });
    for (const auto& topic : topics.present()) {
        publisher->producer_->prepare(topic);
    }
    return publisher;
}

Publisher::Publisher(const Options& options, Clock& clock, TopicDirectory& topics, Stats& stats,
                     WakeFd& bell, Start start, Park park)
    : options_(options),
      clock_(clock),
      topics_(topics),
      stats_(stats),
      bell_(bell),
      park_(std::move(park)),
      parked_(std::move(start.parked)) {
    tracker_.reset(start.progress);
}

Publisher::~Publisher() {
    topics_.on_answer({});
    stats_.set_open(0, 0, std::nullopt);
}

bool Publisher::ready() const {
    return !held_ && !failure_ && refused_.size() < kMostRefused &&
           tracker_.open_bytes() < options_.relay.inflight_bytes.bytes &&
           tracker_.open_records() < static_cast<std::size_t>(options_.relay.inflight_records);
}

void Publisher::offer(Outgoing outgoing) {
    if (!parked_.empty() && parked_.contains(position_of(outgoing.record, outgoing.outbox_id))) {
        tracker_.mark(outgoing.after);
        return;
    }
    const auto ticket = tracker_.add(outgoing.after, outgoing.record.weight(), outgoing.committed);
    const auto sent = send(outgoing, ticket);
    if (!sent) {
        failure_ = sent.error();
    } else if (!*sent) {
        held_ = Held{std::move(outgoing), ticket};
    }
}

Result<bool> Publisher::send(const Outgoing& outgoing, Tracker::Ticket ticket) {
    if (outgoing.refusal) {
        set_aside(outgoing, ticket, outgoing.refusal->reason, outgoing.refusal->message);
        return true;
    }
    const auto& topic = outgoing.record.topic;
    switch (topics_.look_up(topic)) {
        case TopicState::unknown:
            return false;
        case TopicState::missing:
            set_aside(outgoing, ticket, "UNKNOWN_TOPIC", "the topic does not exist");
            return true;
        case TopicState::present:
            break;
    }
    const auto* name = &*topic_names_.insert(topic).first;
    const auto span = span_of(outgoing);
    const auto taken = producer_->produce(
        outgoing.record,
        [this, ticket, id = outgoing.outbox_id, name, span](const kafka::Delivery& delivery) {
            if (span && delivery.outcome != kafka::Outcome::acknowledged) {
                span->fail(delivery.error.code);
            }
            if (span) {
                span->end();
            }
            received(delivery, ticket, id, name);
        });
    if (taken) {
        return true;
    }
    if (span) {
        span->drop();
    }
    switch (taken.error().code) {
        case Code::resource_exhausted:
            return false;
        case Code::invalid_argument:
            set_aside(outgoing, ticket, taken.error().reason, taken.error().message);
            return true;
        default:
            return std::unexpected(taken.error());
    }
}

void Publisher::set_aside(const Outgoing& outgoing, Tracker::Ticket ticket, std::string reason,
                          std::string error) {
    refused_.push_back({ticket, outgoing.record, outgoing.outbox_id,
                        position_of(outgoing.record, outgoing.outbox_id), std::move(reason),
                        std::move(error)});
}

void Publisher::received(const kafka::Delivery& delivery, Tracker::Ticket ticket,
                         std::int64_t outbox_id, const std::string* topic) {
    {
        const std::lock_guard lock(inbox_.mutex);
        switch (delivery.outcome) {
            case kafka::Outcome::acknowledged:
                inbox_.acknowledged.push_back({ticket, topic});
                break;
            case kafka::Outcome::refused: {
                const auto& record = *delivery.record;
                inbox_.refused.push_back({ticket, record, outbox_id, position_of(record, outbox_id),
                                          delivery.error.reason, delivery.error.message});
                break;
            }
            case kafka::Outcome::unsent:
                inbox_.failure = delivery.error;
                break;
        }
    }
    bell_.ring();
}

Result<void> Publisher::pump() {
    std::vector<Acknowledged> acknowledged;
    {
        const std::lock_guard lock(inbox_.mutex);
        acknowledged.swap(inbox_.acknowledged);
        for (auto& refused : inbox_.refused) {
            refused_.push_back(std::move(refused));
        }
        inbox_.refused.clear();
        if (inbox_.failure && !failure_) {
            failure_ = inbox_.failure;
        }
    }
    const auto now = clock_.now();
    for (const auto& [ticket, topic] : acknowledged) {
        if (const auto committed = tracker_.committed(ticket)) {
            stats_.published(*topic, std::chrono::duration_cast<milliseconds>(now - *committed));
        }
        tracker_.finish(ticket);
    }
    if (auto fatal = producer_->fatal()) {
        return std::unexpected(std::move(*fatal));
    }
    if (failure_) {
        return std::unexpected(*failure_);
    }
    TRY(park());
    if (held_) {
        const bool sent = TRY(send(held_->outgoing, held_->ticket));
        if (sent) {
            held_.reset();
        }
    }
    stats_.set_open(tracker_.open_records(), tracker_.open_bytes(), tracker_.oldest());
    return {};
}

Result<void> Publisher::park() {
    if (refused_.empty() || clock_.steady_now() < next_park_) {
        return {};
    }
    if (const auto parked = park_(refused_); !parked) {
        if (!parked.error().transient() || parked.error().reason == "FENCED") {
            return parked;
        }
        // Nothing is confirmed before it is stored; the record waits here.
        logging::warning("refused records cannot be set aside yet", parked.error());
        next_park_ = clock_.steady_now() + kParkAgain;
        return {};
    }
    for (const auto& refused : refused_) {
        const tracing::ScopedTrace scope(trace_of(refused.record));
        logging::warning("set a record aside that Kafka refuses", {{"position", refused.position},
                                                                   {"topic", refused.record.topic},
                                                                   {"reason", refused.reason}});
        if (refused.reason == "UNKNOWN_TOPIC" || refused.reason == "UNKNOWN_TOPIC_OR_PART") {
            if (topics_.look_up(refused.record.topic) == TopicState::present) {
                topics_.forget(refused.record.topic);
            }
        }
        stats_.parked(refused.record.topic);
        tracker_.finish(refused.ticket);
    }
    refused_.clear();
    return {};
}

}  // namespace gantry::relay
