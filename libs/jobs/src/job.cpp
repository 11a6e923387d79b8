#include "gantry/jobs/job.hpp"

#include "gantry/base/encoding.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace gantry::jobs {
namespace {

constexpr std::array<std::pair<State, std::string_view>, 10> kStates{{
    {State::scheduled, "scheduled"},
    {State::queued, "queued"},
    {State::running, "running"},
    {State::succeeded, "succeeded"},
    {State::retrying, "retrying"},
    {State::dead, "dead"},
    {State::cancelled, "cancelled"},
    {State::blocked, "blocked"},
    {State::held, "held"},
    {State::throttled, "throttled"},
}};

constexpr std::size_t kMaxText = 255;
constexpr auto kMaxTimeout = std::chrono::hours{24};
constexpr auto kMaxAhead = std::chrono::hours{24 * 3650};

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_printable_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

class Faults {
public:
    void expect(bool allowed, std::string_view field, std::string_view description) {
        if (!allowed) {
            found_.push_back({std::string(field), std::string(description)});
        }
    }

    void expect_text(std::string_view text, std::string_view field) {
        expect(text.size() <= kMaxText, field, "must be at most 255 bytes");
        expect(is_storable(text), field, "must be UTF-8 without NUL");
    }

    Result<void> result() && {
        if (found_.empty()) {
            return {};
        }
        std::string message = "the job is not acceptable: ";
        for (const auto& fault : found_) {
            message +=
                (&fault == &found_.front() ? "" : "; ") + fault.field + " " + fault.description;
        }
        return std::unexpected(
            Error{Code::invalid_argument, std::move(message), "INVALID_JOB", std::move(found_)});
    }

private:
    std::vector<FieldViolation> found_;
};

}  // namespace

std::string_view to_string(State state) {
    return std::ranges::find(kStates, state, &std::pair<State, std::string_view>::first)->second;
}

std::optional<State> parse_state(std::string_view name) {
    const auto* found =
        std::ranges::find(kStates, name, &std::pair<State, std::string_view>::second);
    return found == kStates.end() ? std::nullopt : std::optional(found->first);
}

bool is_final(State state) {
    return state == State::succeeded || state == State::dead || state == State::cancelled;
}

bool is_job_type(std::string_view text) {
    return !text.empty() && text.size() <= 200 && is_letter(text.front()) &&
           std::ranges::all_of(text, [](char c) {
               return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
           });
}

bool is_queue_name(std::string_view text) {
    return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-';
    });
}

bool is_storable(std::string_view text) {
    return text.find('\0') == std::string_view::npos && is_utf8(text);
}

Result<void> validate(const NewJob& job, Instant now) {
    Faults faults;
    faults.expect(is_queue_name(job.queue), "queue", "must be 1 to 63 of a-z 0-9 -");
    faults.expect(is_job_type(job.type), "type",
                  "must be 1 to 200 of A-Z a-z 0-9 . _ - and start with a letter");
    faults.expect(job.payload.size() <= kMaxPayload, "payload",
                  "must be at most 1 MiB (1048576 bytes)");
    faults.expect(!job.content_type.empty() && job.content_type.size() <= kMaxText &&
                      is_printable_ascii(job.content_type),
                  "content_type", "must be 1 to 255 printable ASCII characters");
    faults.expect_text(job.key, "key");
    faults.expect_text(job.unique_key, "unique_key");
    faults.expect_text(job.request_id, "request_id");
    faults.expect(job.max_attempts >= 0 && job.max_attempts <= kMaxAttempts, "max_attempts",
                  "must be 1 to 1000, or 0 for the queue's");
    faults.expect(!job.run_at || *job.run_at <= now + kMaxAhead, "run_at",
                  "must be at most 10 years ahead");
    faults.expect(!job.timeout || (*job.timeout > milliseconds{0} && *job.timeout <= kMaxTimeout),
                  "timeout", "must be at least 1 ms and at most 24 hours");
    return std::move(faults).result();
}

}  // namespace gantry::jobs
