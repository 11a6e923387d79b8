// The crash points of the tests' relay. GANTRY_CRASH_POINT=<point>:<count> stops the whole process
// when it gets to the point for the count-th time, after one line on standard output.
#include "crash_points.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace gantry::relay {
namespace {

constexpr std::array<std::string_view, 7> kNames = {
    "decoded", "sent", "delivered", "acknowledged", "stored", "parking", "parked"};

class Stop {
public:
    Stop() {
        const char* text = std::getenv("GANTRY_CRASH_POINT");  // NOLINT(concurrency-mt-unsafe)
        const std::string_view wanted = text == nullptr ? "" : text;
        const auto colon = wanted.find(':');
        name_ = wanted.substr(0, colon);
        if (colon != std::string_view::npos) {
            left_ = std::atol(text + colon + 1);
        }
    }

    void at(CrashPoint point) {
        const auto name = kNames.at(static_cast<std::size_t>(point));
        if (name != name_ || left_.fetch_sub(1) != 1) {
            return;
        }
        const auto line =
            "{\"msg\":\"stopped at a crash point\",\"point\":\"" + std::string(name) + "\"}\n";
        static_cast<void>(!::write(STDOUT_FILENO, line.data(), line.size()));
        ::kill(::getpid(), SIGSTOP);
        // The signal may stop another thread first; this one goes no further either way.
        for (;;) {
            ::pause();
        }
    }

private:
    std::string_view name_;
    std::atomic<long> left_{0};
};

}  // namespace

void reached(CrashPoint point) noexcept {
    static Stop stop;
    stop.at(point);
}

}  // namespace gantry::relay
