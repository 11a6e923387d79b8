#pragma once

#include <sys/types.h>
#include <chrono>
#include <string>
#include <vector>

namespace gantry::conformance {

/// One run of a program as a child process, its output read through a pipe.
class Child {
public:
    struct Command {
        std::string program;
        std::vector<std::string> arguments = {};
        std::vector<std::string> environment = {};  ///< `NAME=value`, beside this process's own.
    };
    explicit Child(Command command);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// Reads until `text` has come out; false at the end of the output, or when it does not come
    /// within half a minute.
    bool wait_for(const std::string& text);
    /// The address of the admin port, once the child has logged it.
    std::string admin_address();

    void signal(int number) const;
    /// Waits for its end. 1000 and the signal for a child that a signal ended.
    int exit_code();
    /// Everything that it has written so far as this process has read it.
    [[nodiscard]] const std::string& output() const { return output_; }

private:
    bool read_some();

    pid_t pid_ = -1;
    int out_ = -1;
    std::string output_;
};

}  // namespace gantry::conformance
