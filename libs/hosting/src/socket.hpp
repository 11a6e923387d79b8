#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace gantry::hosting {

/// Owns a file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() { reset(); }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset();
        number_ = std::exchange(other.number_, -1);
        return *this;
    }
    [[nodiscard]] int get() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    void reset();

private:
    int number_ = -1;
};

/// An event that threads in `poll` see, once it is set for good. Thread-safe.
class PollableEvent {
public:
    /// Fails only where the process is out of descriptors.
    Result<void> open();
    void set() const;
    [[nodiscard]] int descriptor() const { return event_.get(); }

private:
    Descriptor event_;
};

/// Waits until `descriptor` is ready for `events` of poll(2), one of `ends` is readable, or `until`
/// of the real clock. A negative descriptor is never ready.
enum class Ready { descriptor, end, timeout };
Ready wait_ready(int descriptor, short events, std::initializer_list<int> ends, SteadyTime until);

/// An address of IPv4 or IPv6.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    /// Reads `127.0.0.1:80`, `[::1]:80` or `localhost:80`; no names are looked up.
    static Result<SocketAddress> parse(std::string_view text);
    [[nodiscard]] const sockaddr* get() const;
    [[nodiscard]] std::string to_string() const;
};

/// A listening socket that does not block.
Result<Descriptor> listen_on(const SocketAddress& address);
/// Where a listening socket is bound.
std::string bound_address(int descriptor);

/// The system's words for an error number, with what was tried.
std::unexpected<Error> system_failure(Code code, std::string_view what, int number);

}  // namespace gantry::hosting
