#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <stdexcept>

namespace gantry::conformance {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) {
        all.push_back(text.data());
    }
    all.push_back(nullptr);
    return all;
}

}  // namespace

Child::Child(Command command) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe");
    }
    command.arguments.insert(command.arguments.begin(), command.program);
    for (char** variable = environ; *variable != nullptr; ++variable) {
        command.environment.emplace_back(*variable);
    }
    const auto argv = pointers(command.arguments);
    const auto envp = pointers(command.environment);
    pid_ = fork();
    if (pid_ == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execve(argv[0], argv.data(), envp.data());
        _exit(127);
    }
    close(ends[1]);
    out_ = ends[0];
}

Child::~Child() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close(out_);
}

bool Child::wait_for(const std::string& text) {
    while (output_.find(text) == std::string::npos) {
        if (!read_some()) {
            return false;
        }
    }
    return true;
}

std::string Child::admin_address() {
    const std::string before = R"("server":"admin","address":")";
    if (!wait_for(before)) {
        throw std::runtime_error("no admin port: " + output_);
    }
    while (output_.find('"', output_.find(before) + before.size()) == std::string::npos) {
        read_some();
    }
    const auto begin = output_.find(before) + before.size();
    return output_.substr(begin, output_.find('"', begin) - begin);
}

void Child::signal(int number) const {
    kill(pid_, number);
}

int Child::exit_code() {
    while (read_some()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

bool Child::read_some() {
    constexpr int kHalfAMinute = 30'000;
    pollfd ready{.fd = out_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, kHalfAMinute) <= 0) {
        kill(pid_, SIGKILL);  // A child that hangs shall fail its test, not hold it up.
        return false;
    }
    std::array<char, 4096> buffer{};
    const ssize_t count = read(out_, buffer.data(), buffer.size());
    if (count <= 0) {
        return false;
    }
    output_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
}

}  // namespace gantry::conformance
