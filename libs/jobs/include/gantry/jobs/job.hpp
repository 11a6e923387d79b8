#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "gantry/base/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::jobs {

/// Where a job is in its life; `gantry.job_state` in SQL.
enum class State {
    scheduled,
    queued,
    running,
    succeeded,
    retrying,
    dead,
    cancelled,
    blocked,
    held,
    throttled,
};

/// The state's name in SQL.
std::string_view to_string(State state);
std::optional<State> parse_state(std::string_view name);

/// True for succeeded, dead and cancelled: the job never runs again by itself.
bool is_final(State state);

/// One job as it is stored. Texts are empty and times absent where it has none.
struct Job {
    Uuid id;
    std::string queue;
    std::string type;
    State state = State::queued;
    std::string payload;  ///< Left out by lists.
    std::string content_type;
    std::string key;
    int attempt = 0;
    int max_attempts = 0;
    Instant created_at{};
    std::optional<Instant> run_at;
    std::optional<Instant> started_at;
    std::optional<Instant> finished_at;
    std::string result;  ///< Left out by lists.
    std::string result_content_type;
    std::string error;
    std::int64_t dispatch = 0;
    std::string external_id;      ///< The CloudEvent's id, if a Kafka producer sent it.
    std::string external_source;  ///< The CloudEvent's source.
};

constexpr std::size_t kMaxPayload = std::size_t{1} << 20;  ///< Bytes.
constexpr int kMaxAttempts = 1000;

/// A job to accept.
struct NewJob {
    std::string queue;
    std::string type;
    std::string payload;
    std::string content_type = "application/octet-stream";
    std::string key;                      ///< Empty: none.
    int max_attempts = 0;                 ///< 0: the queue's.
    std::optional<Instant> run_at;        ///< Absent or past: now.
    std::optional<milliseconds> timeout;  ///< Absent: the queue's.
    std::string unique_key;               ///< Empty: none.
    std::string request_id;               ///< Makes a repeat safe; empty: none.
    std::string source = "api";           ///< Where it came from: api, kafka, ….
    std::string traceparent;              ///< Of who enqueues; empty: none.
};

/// `invalid_argument` with every field that is not allowed, named as in EnqueueRequest. What it
/// lets through cannot spoil the batch that it is written in.
Result<void> validate(const NewJob& job, Instant now);

/// True for 1 to 200 of `A-Z a-z 0-9 . _ -` that begin with a letter.
bool is_job_type(std::string_view text);

/// True for 1 to 63 of `a-z 0-9 -`.
bool is_queue_name(std::string_view text);

/// True for UTF-8 without NUL: what a `text` column takes.
bool is_storable(std::string_view text);

}  // namespace gantry::jobs
