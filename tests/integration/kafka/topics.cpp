#include "topics.hpp"

#include "gantry/base/uuid.hpp"
#include "gantry/testing/offer.hpp"

#include <cstdlib>
#include <future>
#include <stdexcept>

namespace gantry::kafka::testing {
namespace {

template <class T>
T need(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    return std::move(*result);
}

constexpr milliseconds kLimit{20'000};

}  // namespace

Topics::Topics() : prefix_("test-" + Uuid::v7().to_string().substr(0, 23)) {
    const char* brokers = std::getenv("GANTRY_TEST_KAFKA_BROKERS");
    if (brokers == nullptr) {
        throw std::runtime_error("GANTRY_TEST_KAFKA_BROKERS is not set");
    }
    options_.brokers = brokers;
    options_.client_id = "integration-test";
    admin_ = need(Admin::create(options_));
    need(admin_->topics(Deadline::after(kLimit)));
}

Topics::~Topics() {
    static_cast<void>(admin_->delete_topics(created_, Deadline::after(kLimit)));
}

std::string Topics::name(const std::string& name) {
    created_.push_back(prefix_ + "." + name);
    return created_.back();
}

std::string Topics::create(const std::string& name, int partitions) {
    const auto topic = this->name(name);
    const auto outcomes =
        need(admin_->create_topics({{topic, partitions, 1, {}}}, Deadline::after(kLimit)));
    if (!outcomes.front().result) {
        throw std::runtime_error(outcomes.front().result.error().message);
    }
    return topic;
}

std::unique_ptr<Producer> Topics::producer(ProducerSettings settings) {
    return need(Producer::create(options_, settings, metrics_));
}

std::unique_ptr<Consumer> Topics::consumer(const std::string& group) {
    ConsumerSettings settings;
    settings.group = prefix_ + "." + group;
    settings.topic_refresh = milliseconds{500};
    return need(Consumer::create(options_, settings, metrics_));
}

Delivery Topics::send(Producer& producer, const Record& record) {
    auto promise = std::make_shared<std::promise<Delivery>>();
    auto future = promise->get_future();
    const auto taken =
        gantry::testing::offer(producer, record, [promise](const Delivery& delivery) {
            auto copy = delivery;
            copy.record = nullptr;
            promise->set_value(std::move(copy));
        });
    if (!taken) {
        throw std::runtime_error(taken.error().message);
    }
    if (future.wait_for(kLimit * 2) != std::future_status::ready) {
        throw std::runtime_error("no delivery report came");
    }
    return future.get();
}

std::vector<Message> Topics::take(Consumer& consumer, std::size_t count, milliseconds limit) {
    std::vector<Message> messages;
    const auto deadline = Deadline::after(limit);
    while (messages.size() < count && !deadline.expired()) {
        auto event = consumer.poll(milliseconds{100});
        if (auto* message = std::get_if<Message>(&event)) {
            messages.push_back(std::move(*message));
        } else if (const auto* assigned = std::get_if<Assigned>(&event)) {
            static_cast<void>(consumer.assign(assigned->partitions));
        } else if (std::holds_alternative<Revoked>(event)) {
            static_cast<void>(consumer.unassign());
        }
    }
    return messages;
}

}  // namespace gantry::kafka::testing
