#include "gantry/metrics/registry.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>
#include <fstream>
#include <iterator>
#include <sstream>

namespace gantry::metrics {
namespace {

struct Memory {
    double virtual_bytes = 0;
    double resident_bytes = 0;
    double anonymous_bytes = 0;
};

Memory read_memory() {
    // proc(5): size, resident and shared (file-backed and shared memory), in pages.
    std::ifstream file("/proc/self/statm");
    double size = 0;
    double resident = 0;
    double shared = 0;
    file >> size >> resident >> shared;
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    return {size * page, resident * page, (resident - shared) * page};
}

struct Stat {
    double threads = 0;
    double start_ticks = 0;
};

Stat read_stat() {
    std::ifstream file("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    // The second field, the name in parentheses, may hold anything; count from its end.
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return {};
    }
    std::istringstream rest(text.substr(name_end + 1));
    std::vector<std::string> fields((std::istream_iterator<std::string>(rest)), {});
    constexpr std::size_t kThreads = 17;  // Field 20 of proc(5), counted from field 3.
    constexpr std::size_t kStart = 19;    // Field 22.
    if (fields.size() <= kStart) {
        return {};
    }
    return {std::stod(fields[kThreads]), std::stod(fields[kStart])};
}

double start_time() {
    std::ifstream file("/proc/stat");
    std::string word;
    double boot = 0;
    while (file >> word) {
        if (word == "btime") {
            file >> boot;
            break;
        }
    }
    return boot + read_stat().start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_files() {
    DIR* folder = opendir("/proc/self/fd");
    if (folder == nullptr) {
        return 0;
    }
    int count = 0;
    while (readdir(folder) != nullptr) {
        ++count;
    }
    closedir(folder);
    return count - 3;  // ".", ".." and the folder itself.
}

double file_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void add_process_metrics(Registry& registry, std::string_view service, std::string_view version) {
    registry
        .gauge("gantry_build_info", "Always 1; the labels say what runs.",
               {{"service", std::string(service)}, {"version", std::string(version)}})
        .set(1);
    registry.gauge("process_start_time_seconds", "Start of the process, in Unix time.")
        .set(start_time());
    registry.gauge("process_max_fds", "Limit of open file descriptors.").set(file_limit());
    auto& resident = registry.gauge("process_resident_memory_bytes", "Resident memory.");
    auto& virtual_memory = registry.gauge("process_virtual_memory_bytes", "Virtual memory.");
    auto& anonymous = registry.gauge("gantry_process_anonymous_memory_bytes",
                                     "Resident memory that no file backs: heap and stacks.");
    auto& files = registry.gauge("process_open_fds", "Open file descriptors.");
    auto& threads = registry.gauge("gantry_process_threads", "Threads of the process.");
    auto& cpu = registry.counter("process_cpu_seconds_total", "User and system time spent.");
    registry.on_scrape([&resident, &virtual_memory, &anonymous, &files, &threads, &cpu] {
        const Memory memory = read_memory();
        resident.set(memory.resident_bytes);
        virtual_memory.set(memory.virtual_bytes);
        anonymous.set(memory.anonymous_bytes);
        files.set(open_files());
        threads.set(read_stat().threads);
        if (const double more = cpu_seconds() - cpu.value(); more > 0) {
            cpu.increment(more);
        }
    });
}

}  // namespace gantry::metrics
