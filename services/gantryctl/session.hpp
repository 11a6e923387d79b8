#pragma once

#include "console.hpp"
#include "printer.hpp"

#include "gantry/base/result.hpp"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>

namespace gantry::ctl {

/// The flags that every command takes.
struct Globals {
    std::string server;  ///< `host:port`.
    Output output = Output::table;
    milliseconds timeout{10'000};  ///< Of each call.
};

/// What a call does at the server. After a write without an answer nobody knows whether it was
/// done.
enum class Effect { reads, writes };

/// What a command works with: the server, the printer, and the person before it. For one thread.
class Session {
public:
    Session(const Globals& globals, const Console& console)
        : globals_(globals), console_(console) {}

    [[nodiscard]] const Console& console() const { return console_; }
    [[nodiscard]] Printer printer(Content content = Content::hidden) const {
        return {console_.out, globals_.output, content};
    }
    [[nodiscard]] Output output() const { return globals_.output; }

    /// Calls the server. The error names its address and is ready to be shown.
    ///
    /// ```
    /// auto stats = TRY(session.call(&OutboxService::Stub::GetStats, GetStatsRequest{}));
    /// ```
    template <class Stub, class Request, class Response>
    Result<Response> call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                       Response*),
                          const Request& request, Effect effect = Effect::reads) {
        Stub stub(channel());
        grpc::ClientContext context;
        prepare(context);
        Response response;
        const grpc::Status status = (stub.*method)(&context, request, &response);
        if (!status.ok()) {
            return std::unexpected(failure(status, effect));
        }
        return response;
    }

    /// Asks the person; true for yes. Without a person, or without a clear yes, it is no.
    [[nodiscard]] bool confirmed(const std::string& question) const;

    /// A line beside the output: a hint, or how far something is.
    void say(const std::string& line) const;

private:
    const std::shared_ptr<grpc::Channel>& channel();
    void prepare(grpc::ClientContext& context) const;
    [[nodiscard]] Error failure(const grpc::Status& status, Effect effect) const;

    const Globals& globals_;
    const Console& console_;
    std::shared_ptr<grpc::Channel> channel_;
};

/// What a command does once the command line is understood.
using Action = std::function<Result<void>(Session& session)>;

}  // namespace gantry::ctl
