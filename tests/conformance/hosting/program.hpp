#pragma once

#include "child.hpp"

#include <string>
#include <utility>
#include <vector>

namespace gantry::conformance {

constexpr const char* kStarted = R"("msg":"started")";

/// A run of `program.cpp`, its admin port on any free port of the loopback interface.
class Program : public Child {
public:
    explicit Program(std::vector<std::string> arguments, std::vector<std::string> environment = {})
        : Child({.program = GANTRY_TEST_PROGRAM,
                 .arguments = with_admin(std::move(arguments)),
                 .environment = std::move(environment)}) {}

private:
    static std::vector<std::string> with_admin(std::vector<std::string> arguments) {
        arguments.emplace_back("--admin.listen=127.0.0.1:0");
        return arguments;
    }
};

}  // namespace gantry::conformance
