// What a process costs while it has nothing to do.
//
//     bench_process --name NAME --admin PORT [--starts N] [--idle SECONDS] -- COMMAND…
//
// Starts COMMAND several times and measures from the exec to the first 200 of /readyz on its admin
// port, which it must open at 127.0.0.1:PORT, and from SIGTERM to its end. The last of them is
// scraped 200 times and left alone for a while. Prints one row of a Markdown table:
// name, ready in ms (median, worst), anonymous RSS in MiB when ready and after the scrapes,
// CPU in ms a second while idle, stop in ms (median, worst).

#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

double milliseconds_since(Time began) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began)
        .count();
}

// The status of a GET on the loopback interface; 0 while nobody answers.
int status_of(std::uint16_t port, const std::string& path) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int status = 0;
    if (connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
        const std::string request =
            "GET " + path + " HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        send(socket, request.data(), request.size(), MSG_NOSIGNAL);
        std::string answer;
        std::array<char, 16'384> buffer{};
        for (ssize_t size = 1; size > 0;) {
            size = recv(socket, buffer.data(), buffer.size(), 0);
            answer.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        }
        status = answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
    }
    close(socket);
    return status;
}

class Process {
public:
    Process(std::vector<char*> command, std::uint16_t port) : port_(port) {
        command.push_back(nullptr);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        for (const int out : {STDOUT_FILENO, STDERR_FILENO}) {
            posix_spawn_file_actions_addopen(&files, out, "/dev/null", O_WRONLY, 0);
        }
        began_ = std::chrono::steady_clock::now();
        const int error =
            posix_spawn(&pid_, command.front(), &files, nullptr, command.data(), environ);
        posix_spawn_file_actions_destroy(&files);
        if (error != 0) {
            throw std::runtime_error("cannot start " + std::string(command.front()));
        }
    }

    double milliseconds_until_ready() const {
        while (status_of(port_, "/readyz") != 200) {
            if (milliseconds_since(began_) > 30'000 || waitpid(pid_, nullptr, WNOHANG) != 0) {
                throw std::runtime_error("it did not become ready");
            }
            // Leaves the cores to the process that is measured.
            std::this_thread::sleep_for(100us);
        }
        return milliseconds_since(began_);
    }

    [[nodiscard]] double anonymous_mebibytes() const {
        std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("RssAnon:")) {
                return std::atof(line.c_str() + 8) / 1024;
            }
        }
        return 0;
    }

    // Of all threads that live, in nanoseconds.
    [[nodiscard]] double cpu_nanoseconds() const {
        double all = 0;
        const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
        for (const auto& task : std::filesystem::directory_iterator(tasks)) {
            double one = 0;
            std::ifstream(task.path() / "schedstat") >> one;
            all += one;
        }
        return all;
    }

    double milliseconds_to_stop() const {
        const auto asked = std::chrono::steady_clock::now();
        kill(pid_, SIGTERM);
        int status = 0;
        waitpid(pid_, &status, 0);
        const double took = milliseconds_since(asked);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            throw std::runtime_error("it did not end cleanly");
        }
        return took;
    }

private:
    std::uint16_t port_;
    pid_t pid_ = -1;
    Time began_;
};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

struct Request {
    std::string name = "process";
    std::uint16_t port = 0;
    int starts = 15;
    int idle = 10;
    std::vector<char*> command;
};

void measure(const Request& request) {
    std::vector<double> ready;
    std::vector<double> stop;
    for (int i = 1; i < request.starts; ++i) {
        const Process process(request.command, request.port);
        ready.push_back(process.milliseconds_until_ready());
        std::this_thread::sleep_for(200ms);
        stop.push_back(process.milliseconds_to_stop());
    }
    const Process process(request.command, request.port);
    ready.push_back(process.milliseconds_until_ready());
    std::this_thread::sleep_for(1s);
    const double at_first = process.anonymous_mebibytes();
    for (int i = 0; i < 200; ++i) {
        if (status_of(request.port, "/metrics") != 200) {
            throw std::runtime_error("/metrics did not answer");
        }
    }
    const double after_scrapes = process.anonymous_mebibytes();
    std::this_thread::sleep_for(1s);
    const double cpu_before = process.cpu_nanoseconds();
    std::this_thread::sleep_for(std::chrono::seconds{request.idle});
    const double cpu = (process.cpu_nanoseconds() - cpu_before) / 1e6 / request.idle;
    stop.push_back(process.milliseconds_to_stop());
    std::printf("| %s | %.1f (%.1f) | %.1f | %.1f | %.2f | %.1f (%.1f) |\n", request.name.c_str(),
                median(ready), std::ranges::max(ready), at_first, after_scrapes, cpu, median(stop),
                std::ranges::max(stop));
}

Request parse(int argc, char** argv) {
    Request request;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view flag = argv[i];
        if (flag == "--") {
            request.command.assign(argv + i + 1, argv + argc);
            break;
        }
        const char* value = argv[i + 1];
        if (flag == "--name") {
            request.name = value;
        } else if (flag == "--admin") {
            request.port = static_cast<std::uint16_t>(std::atoi(value));
        } else if (flag == "--starts") {
            request.starts = std::atoi(value);
        } else if (flag == "--idle") {
            request.idle = std::atoi(value);
        }
    }
    return request;
}

}  // namespace

int main(int argc, char** argv) {
    const Request request = parse(argc, argv);
    if (request.command.empty() || request.port == 0 || request.starts < 1 || request.idle < 1) {
        std::fputs(
            "usage: bench_process --name NAME --admin PORT [--starts N] [--idle SECONDS] --"
            " COMMAND…\n",
            stderr);
        return 2;
    }
    try {
        measure(request);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s: %s\n", request.name.c_str(), problem.what());
        return 1;
    }
    return 0;
}
