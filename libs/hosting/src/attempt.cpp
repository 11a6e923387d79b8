#include "attempt.hpp"

#include <cxxabi.h>
#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace gantry::hosting {
namespace {

std::string type_of(const std::exception& thrown) {
    const char* const mangled = typeid(thrown).name();
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
    return status == 0 ? name.get() : mangled;
}

}  // namespace

Error error_of(const std::exception& thrown, Thrown origin) {
    std::string message = "unexpected " + type_of(thrown);
    if (origin == Thrown::by_wiring) {
        message += std::string(": ") + thrown.what();
    }
    return {Code::internal, std::move(message), "EXCEPTION", {}};
}

}  // namespace gantry::hosting
