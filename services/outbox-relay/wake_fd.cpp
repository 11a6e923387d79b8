#include "wake_fd.hpp"

#include "gantry/base/ensure.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace gantry::relay {

WakeFd::WakeFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    ENSURE(fd_ >= 0, "an event descriptor can be made");
}

WakeFd::~WakeFd() {
    ::close(fd_);
}

void WakeFd::ring() {
    const std::uint64_t one = 1;
    // A full counter has rung already.
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void WakeFd::clear() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(fd_, &count, sizeof count);
}

}  // namespace gantry::relay
