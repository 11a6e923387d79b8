#include "gantry/admin/server.hpp"

#include "listener.hpp"

#include <utility>

namespace gantry::admin {

void Options::bind(config::Binder& binder) {
    binder
        .add("admin.listen", listen,
             "Address of the HTTP port for probes, health and metrics; port 0 picks a free one.")
        .required()
        .listen_address();
}

class Server::Impl : public Listener {
public:
    using Listener::Listener;
};

Server::Server(Options options, hosting::Context& context)
    : impl_(std::make_unique<Impl>(std::move(options.listen), context, Limits{})) {}
Server::~Server() = default;

Result<void> Server::start(std::stop_token /*aborted*/) {
    return impl_->start();
}
Result<void> Server::stop(Deadline limit) {
    return impl_->stop(limit);
}
std::string Server::address() const {
    return impl_->address();
}

}  // namespace gantry::admin
