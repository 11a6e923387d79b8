#include "record_desk.hpp"

#include "gantry/logging/log.hpp"
#include "record.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace gantry::worker {
namespace {

constexpr milliseconds kLimit{3'000};
constexpr milliseconds kLookAgain{5};
constexpr std::size_t kHeavy = std::size_t{4} << 20;  // payload bytes that make a batch smaller

jobs::BrokenRecord broken_of(const kafka::Message& record, std::string reason, std::string detail) {
    jobs::BrokenRecord broken;
    broken.place = {record.topic, record.partition, record.offset};
    broken.reason = std::move(reason);
    broken.detail = std::move(detail);
    broken.key = record.key;
    broken.value = record.value;
    for (const auto& header : record.headers) {
        broken.headers.emplace_back(header.name, header.value.value_or(""));
    }
    return broken;
}

template <class Item>
std::vector<Item> take_front(std::vector<Item>& from, std::size_t most) {
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(std::min(most, from.size()));
    std::vector<Item> taken(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
    from.erase(from.begin(), end);
    return taken;
}

template <class Item>
void put_back(std::vector<Item>& to, std::vector<Item>& items) {
    to.insert(to.begin(), std::make_move_iterator(items.begin()),
              std::make_move_iterator(items.end()));
    items.clear();
}

}  // namespace

void RecordDesk::take(const kafka::Message& record, const jobs::Source& source,
                      const std::string& queue) {
    work_.book.received(source, record.offset);
    auto reading = read_record(record, queue);
    if (auto* wakeup = std::get_if<jobs::Wakeup>(&reading)) {
        admit({std::move(*wakeup), source, record.offset});
    } else if (auto* event = std::get_if<jobs::ExternalEvent>(&reading)) {
        events_.push_back({std::move(*event), source, record});
    } else {
        broken_.push_back({std::get<jobs::BrokenRecord>(std::move(reading)), source});
    }
}

void RecordDesk::admit(Arrival arrival) {
    const auto admission = work_.in_flight.admit(arrival);
    if (admission.displaced) {
        work_.book.done(admission.displaced->source, admission.displaced->offset);
        work_.metrics.stale.increment();
    }
    switch (admission.admitted) {
        case InFlight::Admitted::yes:
            unchecked_.push_back({std::move(arrival), false, {}});
            break;
        case InFlight::Admitted::no:
            work_.book.done(arrival.source, arrival.offset);
            work_.metrics.duplicates.increment();
            break;
        case InFlight::Admitted::known:
            break;  // its end is still to come
        case InFlight::Admitted::later:
            break;  // `Work::take_waiting` gives it back
    }
}

Result<void> RecordDesk::step() {
    for (auto& arrival : work_.take_waiting()) {
        admit(std::move(arrival));
    }
    drop_inactive();
    TRY(bury());
    TRY(make_jobs());
    TRY(check());
    return ask_after_missing();
}

void RecordDesk::drop_inactive() {
    // Their next owner reads the records again.
    const auto drop = [this](std::deque<Unchecked>& items) {
        std::deque<Unchecked> kept;
        for (auto& item : items) {
            if (work_.book.active(item.arrival.source)) {
                kept.push_back(std::move(item));
            } else {
                end(item.arrival, Work::Record::kept);
            }
        }
        items = std::move(kept);
    };
    drop(unchecked_);
    drop(late_);
    std::erase_if(events_, [this](const Event& event) { return !work_.book.active(event.source); });
    std::erase_if(broken_, [this](const Broken& one) { return !work_.book.active(one.source); });
}

Result<void> RecordDesk::bury() {
    constexpr std::size_t kMostRecords = 50;  // of up to a megabyte each
    while (!broken_.empty()) {
        auto some = take_front(broken_, kMostRecords);
        if (auto done = bury_some(some); !done) {
            put_back(broken_, some);
            return done;
        }
    }
    return {};
}

Result<void> RecordDesk::bury_some(std::vector<Broken>& some) {
    std::vector<jobs::BrokenRecord> records;
    records.reserve(some.size());
    for (const auto& one : some) {
        records.push_back(one.record);
    }
    auto buried = jobs::bury(pool_, records, dead_topic_, Deadline::after(kLimit, clock_));
    if (!buried && jobs::refuses_content(buried.error())) {
        // One of them is at fault; and a record that cannot even be buried leaves its place.
        if (some.size() > 1) {
            while (!some.empty()) {
                auto alone = take_front(some, 1);
                if (auto done = bury_some(alone); !done) {
                    put_back(some, alone);
                    return done;
                }
            }
            return {};
        }
        records.front().detail += "; its bytes cannot be stored";
        records.front().key.reset();
        records.front().value.reset();
        records.front().headers.clear();
        buried = jobs::bury(pool_, records, dead_topic_, Deadline::after(kLimit, clock_));
    }
    TRY(std::move(buried));
    for (const auto& one : some) {
        const auto& place = one.record.place;
        logging::warning("buried a record that cannot become a job",
                         {{"topic", place.topic},
                          {"partition", place.partition},
                          {"offset", place.offset},
                          {"reason", one.record.reason}});
        work_.metrics.raw_event("buried");
        work_.book.done(one.source, place.offset);
    }
    some.clear();
    return {};
}

Result<void> RecordDesk::make_jobs() {
    while (!events_.empty()) {
        auto batch = take_front(events_, kBatch);
        if (auto made = make_jobs_of(batch); !made) {
            put_back(events_, batch);
            return made;
        }
    }
    return bury();
}

Result<void> RecordDesk::make_jobs_of(std::vector<Event>& events) {
    std::vector<jobs::ExternalEvent> asked;
    asked.reserve(events.size());
    for (const auto& one : events) {
        asked.push_back(one.event);
    }
    const auto taken = jobs::take_in(pool_, asked, Deadline::after(kLimit, clock_));
    if (!taken) {
        const auto& error = taken.error();
        if (!jobs::refuses_content(error)) {
            return std::unexpected(error);
        }
        // Something about one of them: each alone, so that only that one is buried.
        if (events.size() == 1) {
            broken_.push_back(
                {broken_of(events.front().record, "refused", error.reason), events.front().source});
            events.clear();
            return {};
        }
        while (!events.empty()) {
            auto alone = take_front(events, 1);
            if (auto made = make_jobs_of(alone); !made) {
                put_back(events, alone);
                return made;
            }
        }
        return {};
    }
    for (std::size_t i = 0; i < events.size(); ++i) {
        auto& one = events[i];
        const auto offset = one.event.place.offset;
        switch ((*taken)[i].kind) {
            case jobs::Intake::Kind::made:
                work_.metrics.raw_event("made");
                admit({(*taken)[i].wakeup, one.source, offset});
                break;
            case jobs::Intake::Kind::duplicate:
                work_.metrics.raw_event("duplicate");
                work_.book.done(one.source, offset);
                break;
            case jobs::Intake::Kind::no_queue:
                broken_.push_back(
                    {broken_of(one.record, "unknown_queue", "the topic's queue is not declared"),
                     one.source});
                break;
        }
    }
    events.clear();
    return {};
}

Result<void> RecordDesk::check() {
    while (!unchecked_.empty() && work_.bytes() < kMostBytes) {
        const auto count = std::min(batch_, unchecked_.size());
        std::vector<jobs::Wakeup> wakeups;
        wakeups.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            wakeups.push_back(unchecked_[i].arrival.wakeup);
        }
        auto answers = TRY(jobs::check(pool_, wakeups, Deadline::after(kLimit, clock_)));
        std::size_t weight = 0;
        for (auto& answer : answers) {
            weight += answer.job ? answer.job->payload.size() : 0;
            auto item = std::move(unchecked_.front());
            unchecked_.pop_front();
            switch (answer.verdict) {
                case jobs::Verdict::run:
                    work_.start(
                        Task{*std::move(answer.job), item.arrival.source, item.arrival.offset});
                    break;
                case jobs::Verdict::stale:
                    work_.metrics.stale.increment();
                    end(item.arrival, Work::Record::done);
                    break;
                case jobs::Verdict::missing:
                    if (item.looked_again || item.arrival.wakeup.xid.empty()) {
                        work_.metrics.missing.increment();
                        end(item.arrival, Work::Record::done);
                    } else {
                        late_.push_back(std::move(item));
                    }
                    break;
            }
        }
        if (weight > kHeavy) {
            batch_ = std::max<std::size_t>(1, batch_ / 4);
        } else if (count == batch_) {
            batch_ = std::min(kBatch, batch_ * 2);
        }
    }
    return {};
}

Result<void> RecordDesk::ask_after_missing() {
    const auto now = clock_.steady_now();
    for (auto left = late_.size(); left > 0; --left) {
        auto& item = late_.front();
        if (item.not_before > now) {
            std::rotate(late_.begin(), late_.begin() + 1, late_.end());
            continue;
        }
        const auto origin =
            TRY(jobs::origin_of(pool_, item.arrival.wakeup.xid, Deadline::after(kLimit, clock_)));
        auto taken = std::move(item);
        late_.pop_front();
        switch (origin) {
            case jobs::Origin::in_progress:
                taken.not_before = now + kLookAgain;
                late_.push_back(std::move(taken));
                break;
            case jobs::Origin::committed:
                taken.looked_again = true;
                unchecked_.push_back(std::move(taken));
                break;
            case jobs::Origin::void_record:
                work_.metrics.missing.increment();
                end(taken.arrival, Work::Record::done);
                break;
        }
    }
    return {};
}

}  // namespace gantry::worker
