#pragma once

#include "app.hpp"

#include "gantry/outbox/v1/outbox.grpc.pb.h"
#include "gantry/rpc/status.hpp"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace gantry::ctl::testing {

namespace v1 = gantry::outbox::v1;

/// OutboxService in this process. A call that no function is set for is UNIMPLEMENTED.
class FakeOutbox final : public v1::OutboxService::Service {
public:
    template <class Request, class Response>
    using Handler = std::function<Result<Response>(const Request&)>;

    Handler<v1::GetStatsRequest, v1::OutboxStats> stats;
    Handler<v1::ListParkedRequest, v1::ListParkedResponse> list;

    grpc::Status GetStats(grpc::ServerContext* /*context*/, const v1::GetStatsRequest* request,
                          v1::OutboxStats* response) override {
        return answer(stats, *request, *response);
    }
    grpc::Status ListParked(grpc::ServerContext* /*context*/, const v1::ListParkedRequest* request,
                            v1::ListParkedResponse* response) override {
        return answer(list, *request, *response);
    }

private:
    template <class Request, class Response>
    static grpc::Status answer(const Handler<Request, Response>& handler, const Request& request,
                               Response& response) {
        if (!handler) {
            return {grpc::StatusCode::UNIMPLEMENTED, ""};
        }
        auto result = handler(request);
        if (!result) {
            return rpc::to_status(result.error());
        }
        response = std::move(*result);
        return grpc::Status::OK;
    }
};

/// Runs the program against a server in this process, without a network.
class Run : public ::testing::Test {
protected:
    Run() {
        grpc::ServerBuilder builder;
        builder.RegisterService(&outbox);
        server_ = builder.BuildAndStart();
    }

    int run(std::vector<std::string> arguments) {
        std::vector<const char*> argv{"gantryctl"};
        for (const auto& argument : arguments) {
            argv.push_back(argument.c_str());
        }
        in_.str(typed);
        in_.clear();
        out_.str("");
        err_.str("");
        const Console console{
            .in = in_,
            .out = out_,
            .err = err_,
            .interactive = interactive,
            .environment = [this](const std::string& name) -> std::optional<std::string> {
                const auto found = environment.find(name);
                return found == environment.end() ? std::nullopt
                                                  : std::optional<std::string>(found->second);
            },
            .connect =
                [this](const std::string& target) {
                    targets.push_back(target);
                    return server_->InProcessChannel({});
                },
            .clock = clock,
        };
        return ctl::run(static_cast<int>(argv.size()), argv.data(), console);
    }
    [[nodiscard]] std::string out() const { return out_.str(); }
    [[nodiscard]] std::string err() const { return err_.str(); }

    FakeOutbox outbox;
    FakeClock clock;
    std::map<std::string, std::string> environment;
    std::vector<std::string> targets;  ///< Where it connected.
    bool interactive = false;
    std::string typed;  ///< What the person answers.

private:
    std::unique_ptr<grpc::Server> server_;
    std::istringstream in_;
    std::ostringstream out_;
    std::ostringstream err_;
};

}  // namespace gantry::ctl::testing
