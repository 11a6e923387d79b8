#include "session.hpp"

#include "gantry/base/units.hpp"
#include "gantry/rpc/status.hpp"

#include <istream>
#include <ostream>

namespace gantry::ctl {

const std::shared_ptr<grpc::Channel>& Session::channel() {
    if (!channel_) {
        channel_ = console_.connect(globals_.server);
    }
    return channel_;
}

void Session::prepare(grpc::ClientContext& context) const {
    context.set_deadline(std::chrono::system_clock::now() + globals_.timeout);
}

Error Session::failure(const grpc::Status& status, Effect effect) const {
    const auto& server = globals_.server;
    Error error = rpc::to_error(status);
    const bool answered = rpc::has_details(status);
    const std::string doubt = effect == Effect::writes
                                  ? "; whether it was done is not known: look before you repeat it"
                                  : "";
    if (answered) {
        error.message = server + " says: " + error.message;
    } else if (error.code == Code::deadline_exceeded) {
        error.message = server + " gave no answer within " + format_duration(globals_.timeout) +
                        " (--timeout)" + doubt;
    } else if (error.code == Code::unavailable) {
        error.message = server + " cannot be reached: " + error.message + doubt;
    } else if (error.code == Code::unimplemented) {
        error.message = server +
                        " does not know this call: it is another service, or an older release of "
                        "Gantry";
    } else {
        error.message = server + " failed: " + error.message + doubt;
    }
    return error;
}

bool Session::confirmed(const std::string& question) const {
    if (!console_.interactive) {
        return false;
    }
    console_.err << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(console_.in, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

void Session::say(const std::string& line) const {
    console_.err << line << '\n';
}

}  // namespace gantry::ctl
