#include "gantry/jobs/handler.hpp"

#include "gantry/base/ensure.hpp"

#include <algorithm>

namespace gantry::jobs {
namespace {

constexpr std::size_t kMaxError = 1000;

bool is_media_type(std::string_view text) {
    return !text.empty() && text.size() <= 255 &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Outcome Outcome::of(Result<void> result) {
    if (result) {
        return success();
    }
    switch (result.error().code) {
        case Code::invalid_argument:
        case Code::not_found:
        case Code::already_exists:
        case Code::failed_precondition:
        case Code::out_of_range:
        case Code::unimplemented:
        case Code::data_loss:
            return dead(std::move(result).error());
        default:
            return retry(std::move(result).error());
    }
}

void JobContext::result(std::string bytes, std::string content_type) {
    if (bytes.size() > kMaxPayload) {
        fault_ =
            Error{Code::out_of_range, "the result is larger than 1 MiB", "RESULT_TOO_LARGE", {}};
        return;
    }
    if (!is_media_type(content_type)) {
        fault_ = Error{Code::invalid_argument,
                       "the result's content type is not 1 to 255 printable ASCII characters",
                       "RESULT_CONTENT_TYPE",
                       {}};
        return;
    }
    fault_.reset();
    result_ = std::move(bytes);
    result_content_type_ = std::move(content_type);
}

JobContext::Produced JobContext::take() && {
    return {std::move(result_), std::move(result_content_type_), std::move(effects_),
            std::move(fault_)};
}

Registry& Registry::add(std::string type, Handler handler, DeathHook on_dead) {
    ENSURE(is_job_type(type), "a handler's type is a job type");
    const bool added =
        entries_.emplace(std::move(type), Entry{std::move(handler), std::move(on_dead)}).second;
    ENSURE(added, "a job type has one handler");
    return *this;
}

const Registry::Entry* Registry::find(std::string_view type) const {
    const auto found = entries_.find(type);
    return found == entries_.end() ? nullptr : &found->second;
}

std::string Registry::label(std::string_view type) const {
    return find(type) ? std::string(type) : "other";
}

std::vector<std::string> Registry::types() const {
    std::vector<std::string> names;
    for (const auto& [type, entry] : entries_) {
        names.push_back(type);
    }
    return names;
}

std::string storable_error(std::string_view text) {
    std::string clean(text.substr(0, kMaxError));
    // A cut in the middle of a character leaves at most three bytes too many.
    for (int i = 0; text.size() > kMaxError && i < 3 && !is_storable(clean); ++i) {
        clean.pop_back();
    }
    if (!is_storable(clean)) {
        std::ranges::replace_if(clean, [](char c) { return c < ' ' || c > '~'; }, '?');
    }
    return clean;
}

}  // namespace gantry::jobs
