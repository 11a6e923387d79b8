#include "definition.hpp"

#include "gantry/cron/schedule.hpp"
#include "payload.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace gantry::scheduler {
namespace {

constexpr milliseconds kLongestJitter = std::chrono::hours{1};
constexpr milliseconds kShortestWindow = std::chrono::seconds{1};
constexpr milliseconds kLongestWindow = std::chrono::days{31};
constexpr int kLargestLimit = 1000;
constexpr int kMostAttempts = 1000;
constexpr std::size_t kLongestName = 63;
constexpr std::size_t kLongestTopic = 249;  // Kafka's own limit
constexpr std::size_t kLongestText = 200;

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kLongestName && text.front() != '-' &&
           text.back() != '-' &&
           std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_topic(std::string_view text) {
    return !text.empty() && text.size() <= kLongestTopic && text != "." && text != ".." &&
           std::ranges::all_of(text, [](char c) {
               return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
                      c == '-';
           });
}

/// As gantry.enqueue() wants the name of a queue.
bool is_queue(std::string_view text) {
    return !text.empty() && text.size() <= kLongestName &&
           std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

/// As gantry.enqueue() wants a job's type; events are held to the same.
bool is_type(std::string_view text) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    return is_topic(text) && text.size() <= kLongestText && is_letter(text.front());
}

bool is_printable(std::string_view text) {
    return !text.empty() && text.size() <= kLongestText &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_target(const Definition& definition, std::vector<FieldViolation>& faults) {
    if (definition.queue.has_value() == definition.topic.has_value()) {
        faults.push_back({"job", "exactly one of job and event is needed"});
        return;
    }
    const std::string target = definition.queue ? "job." : "event.";
    if (definition.queue && !is_queue(*definition.queue)) {
        faults.push_back(
            {target + "queue", "must be 1 to 63 of a-z 0-9 -, the name of a declared queue"});
    }
    if (definition.topic && !is_topic(*definition.topic)) {
        faults.push_back({target + "topic", "must be 1 to 249 of a-z A-Z 0-9 . _ -"});
    }
    if (!is_type(definition.type)) {
        faults.push_back(
            {target + "type", "must be 1 to 200 of A-Z a-z 0-9 . _ - and start with a letter"});
    }
    if (definition.key && !is_printable(*definition.key)) {
        faults.push_back({target + "key", "must be 1 to 200 printable ASCII characters"});
    }
    if (definition.payload) {
        if (const auto checked = check_template(*definition.payload); !checked) {
            faults.push_back({target + "payload", checked.error().fields.front().description});
        }
    }
    if (definition.max_attempts &&
        (*definition.max_attempts < 1 || *definition.max_attempts > kMostAttempts)) {
        faults.push_back({target + "max_attempts", "must be 1 to 1000"});
    }
    if (definition.max_attempts && definition.topic) {
        faults.push_back({target + "max_attempts", "is for jobs only"});
    }
}

template <class T>
std::optional<T> find_by_name(std::initializer_list<T> all, std::string_view text) {
    for (const auto value : all) {
        if (to_string(value) == text) {
            return value;
        }
    }
    return std::nullopt;
}

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
}

std::string interval(milliseconds length) {
    return std::to_string(length.count()) + " milliseconds";
}

}  // namespace

std::string_view to_string(CatchUp policy) {
    switch (policy) {
        case CatchUp::none:
            return "none";
        case CatchUp::latest:
            return "latest";
        case CatchUp::all:
            return "all";
    }
    return "latest";
}

std::string_view to_string(DataInterval interval) {
    return interval == DataInterval::previous_day ? "previous_day" : "since_previous";
}

Result<CatchUp> parse_catch_up(std::string_view text) {
    if (const auto found = find_by_name({CatchUp::none, CatchUp::latest, CatchUp::all}, text)) {
        return *found;
    }
    return invalid("catch_up.policy", "must be none, latest or all");
}

Result<DataInterval> parse_data_interval(std::string_view text) {
    if (const auto found =
            find_by_name({DataInterval::since_previous, DataInterval::previous_day}, text)) {
        return *found;
    }
    return invalid("data_interval", "must be since_previous or previous_day");
}

std::vector<FieldViolation> faults_of(const Definition& definition) {
    std::vector<FieldViolation> faults;
    const auto take = [&faults](std::string field, const Error& error) {
        const auto& fault = error.fields.front();
        faults.push_back({std::move(field), fault.field + ": " + fault.description});
    };
    if (!is_name(definition.name)) {
        faults.push_back({"name", "must be 1 to 63 of a-z 0-9 -, without - at either end"});
    }
    const auto dialect = cron::parse_dialect(definition.dialect);
    if (!dialect) {
        take("dialect", dialect.error());
    }
    const auto spec =
        cron::Schedule::parse(definition.spec, dialect.value_or(cron::Dialect::automatic));
    if (!spec) {
        take("spec", spec.error());
    }
    if (const auto zone = cron::TimeZone::load(definition.time_zone); !zone) {
        faults.push_back({"time_zone", zone.error().fields.front().description});
    }
    if (definition.jitter < milliseconds{0} || definition.jitter > kLongestJitter) {
        faults.push_back({"jitter", "must be 0s to 1h"});
    }
    if (definition.catch_up_limit < 1 || definition.catch_up_limit > kLargestLimit) {
        faults.push_back({"catch_up.limit", "must be 1 to 1000"});
    }
    if (definition.catch_up_window < kShortestWindow ||
        definition.catch_up_window > kLongestWindow) {
        faults.push_back({"catch_up.window", "must be 1s to 31d"});
    }
    check_target(definition, faults);
    return faults;
}

std::string to_json(const std::vector<Definition>& definitions) {
    auto out = nlohmann::json::array();
    for (const auto& one : definitions) {
        out.push_back({{"name", one.name},
                       {"spec", one.spec},
                       {"dialect", one.dialect},
                       {"time_zone", one.time_zone},
                       {"jitter", interval(one.jitter)},
                       {"catch_up", to_string(one.catch_up)},
                       {"catch_up_limit", one.catch_up_limit},
                       {"catch_up_window", interval(one.catch_up_window)},
                       {"data_interval", to_string(one.data_interval)},
                       {"queue", or_null(one.queue)},
                       {"topic", or_null(one.topic)},
                       {"type", one.type},
                       {"key", or_null(one.key)},
                       {"payload", or_null(one.payload)},
                       {"max_attempts", or_null(one.max_attempts)},
                       {"paused", or_null(one.paused)}});
    }
    return out.dump();
}

std::vector<Definition> builtin_schedules() {
    Definition report;
    report.name = "daily-report";
    report.spec = "0 2 * * *";
    report.dialect = "standard";
    report.data_interval = DataInterval::previous_day;
    report.catch_up = CatchUp::all;
    report.catch_up_limit = 7;
    report.catch_up_window = std::chrono::days{7};
    report.queue = "reports";
    report.type = "reports.daily";
    return {report};
}

}  // namespace gantry::scheduler
