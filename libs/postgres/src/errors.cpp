#include "errors.hpp"

#include <string>

namespace gantry::postgres {
namespace {

struct Meaning {
    std::string_view sqlstate;  // Whole, or a class of two characters.
    Code code;
    std::string_view text;  // Empty: PostgreSQL's own text is free of values.
};

// https://www.postgresql.org/docs/15/errcodes-appendix.html; the first that matches counts.
constexpr Meaning kMeanings[] = {
    {"22023", Code::invalid_argument, ""},
    {"23505", Code::already_exists, "a row with this key exists"},
    {"23503", Code::failed_precondition, "a row that this one refers to is missing"},
    {"23514", Code::invalid_argument, "a value is outside what its column allows"},
    {"23502", Code::invalid_argument, "a value that is needed is missing"},
    {"22", Code::invalid_argument, "a value has not the form of its type"},
    {"23", Code::failed_precondition, "a constraint was violated"},
    {"P0002", Code::not_found, ""},
    {"40", Code::aborted, "the transaction collided with another one"},
    {"55P03", Code::deadline_exceeded, "a lock was not to be had in time"},
    {"57014", Code::deadline_exceeded, "the statement took longer than its limit"},
    {"25P03", Code::unavailable, "the session was idle in a transaction for too long"},
    {"25006", Code::unavailable, "the server takes no writes"},
    {"53300", Code::unavailable, "the server has no connection left"},
    {"53", Code::resource_exhausted, "the server is short of memory, disk or connections"},
    {"57P", Code::unavailable, "the server is starting or stopping"},
    {"58", Code::unavailable, "the server has a system error"},
    {"08", Code::unavailable, "the connection was lost"},
    {"28", Code::permission_denied, "the server refused the login"},
    {"42501", Code::permission_denied, ""},
    {"42P01", Code::failed_precondition, ""},
    {"42883", Code::failed_precondition, ""},
    {"3F000", Code::failed_precondition, ""},
    {"3D000", Code::failed_precondition, ""},
    {"55006", Code::failed_precondition, ""},
    {"55000", Code::failed_precondition, ""},
    {"42", Code::internal, ""},
};

/// PostgreSQL's message without its "ERROR:  " and without any further line.
std::string first_line(std::string_view text) {
    if (const auto colon = text.find(":  "); colon != std::string_view::npos && colon < 12) {
        text.remove_prefix(colon + 3);
    }
    return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Error error_of_sqlstate(std::string_view sqlstate, std::string_view text) {
    for (const auto& meaning : kMeanings) {
        if (sqlstate.starts_with(meaning.sqlstate)) {
            return Error{meaning.code,
                         meaning.text.empty() ? first_line(text) : std::string(meaning.text),
                         std::string(sqlstate),
                         {}};
        }
    }
    return Error{Code::internal, "the database refused a statement", std::string(sqlstate), {}};
}

Error connection_lost(std::string_view what) {
    return Error{Code::unavailable, std::string(what), "DATABASE_UNAVAILABLE", {}};
}

}  // namespace gantry::postgres
