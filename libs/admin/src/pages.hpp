#pragma once

#include "gantry/hosting/context.hpp"

#include <string>
#include <string_view>

namespace gantry::admin {

/// What a page answers.
struct Answer {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::string allow;  ///< The `Allow` header of a 405.
};

/// Answers `method` on `target` (path and query). Asking runs no check: every answer is from what
/// is known. Runs on the server's thread.
Answer answer(const hosting::Context& context, std::string_view method, std::string_view target);

/// The path of `target` if there is such a page, else nothing: what a client sends is not logged.
std::string_view page_name(std::string_view target);

}  // namespace gantry::admin
