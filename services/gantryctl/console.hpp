#pragma once

#include "gantry/base/clock.hpp"

#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

namespace grpc {
class Channel;
}

namespace gantry::ctl {

/// What a run has to do with the world, so that tests can stand for it. Everything must outlive the
/// run.
struct Console {
    std::istream& in;
    std::ostream& out;  ///< What was asked for, and nothing else.
    std::ostream& err;  ///< Questions, hints and failures.
    bool interactive;   ///< A person reads and types here, and can be asked.
    std::function<std::optional<std::string>(const std::string& name)> environment;
    /// A channel to `host:port`.
    std::function<std::shared_ptr<grpc::Channel>(const std::string& target)> connect;
    Clock& clock;
};

}  // namespace gantry::ctl
