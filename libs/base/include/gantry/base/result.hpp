#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Errors as values. A function that can fail in a way its caller can act on returns `Result<T>`.
namespace gantry {

/// What kind of failure this is. The values are those of gRPC's status codes, so that one table
/// maps to gRPC and one from there to HTTP.
enum class Code : int {
    cancelled = 1,
    unknown = 2,
    invalid_argument = 3,
    deadline_exceeded = 4,
    not_found = 5,
    already_exists = 6,
    permission_denied = 7,
    resource_exhausted = 8,
    failed_precondition = 9,
    aborted = 10,
    out_of_range = 11,
    unimplemented = 12,
    internal = 13,
    unavailable = 14,
    data_loss = 15,
    unauthenticated = 16,
};

/// The code's name as gRPC writes it, for example "INVALID_ARGUMENT".
std::string_view to_string(Code code);

/// One fault in one field of a request or of the configuration.
struct FieldViolation {
    std::string field;  ///< Path of the field as the caller wrote it, for example `items[0].code`.
    std::string
        description;  ///< What is allowed. Never repeats a value that could be personal data.
};

/// A failure. `message` is for the caller and the log; it never holds payloads or personal data.
struct Error {
    Code code = Code::unknown;
    std::string message;
    std::string reason;  ///< Stable UPPER_SNAKE_CASE reason, empty if the code says it all.
    std::vector<FieldViolation> fields;  ///< For `invalid_argument`: every fault that was found.

    /// The same error with `context: ` in front of its message, for use on the way up.
    [[nodiscard]] Error with_context(std::string_view context) &&;

    /// True where the same call may succeed later without a change: `unavailable`, `aborted`,
    /// `deadline_exceeded` and `resource_exhausted`.
    [[nodiscard]] bool transient() const;
};

template <class T>
using Result = std::expected<T, Error>;

/// An error ready to be returned from any function that returns a `Result`.
[[nodiscard]] std::unexpected<Error> fail(Code code, std::string message, std::string reason = {});

/// `invalid_argument` for a single field.
[[nodiscard]] std::unexpected<Error> invalid(std::string field, std::string description);

}  // namespace gantry

/// Evaluates a `Result` expression: its value, or returns its error from the enclosing function.
/// `auto row = TRY(load(id));` It nests: `TRY(save(TRY(load(id))))`.
#define TRY(...) GANTRY_TRY_NAMED(GANTRY_TRY_JOINED(gantry_try_, __COUNTER__), __VA_ARGS__)

// The name of the result differs in each use, or a nested one would shadow the outer one.
#define GANTRY_TRY_JOINED(prefix, number) GANTRY_TRY_JOINED_AGAIN(prefix, number)
#define GANTRY_TRY_JOINED_AGAIN(prefix, number) prefix##number
#define GANTRY_TRY_NAMED(result, ...)                          \
    __extension__({                                            \
        auto&& result = (__VA_ARGS__);                         \
        if (!result) {                                         \
            return std::unexpected(std::move(result).error()); \
        }                                                      \
        *std::move(result);                                    \
    })
