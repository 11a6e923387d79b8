#include "fake_backend.hpp"

#include "gantry/rpc/channel.hpp"

#include <grpcpp/channel.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace gantry::testing {
namespace {

using namespace std::chrono_literals;

// A handler as it must not be: it never ends its call.
class NeverFinishes final : public jv1::JobService::CallbackService {
public:
    grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext*, const jv1::GetJobRequest*,
                                  jv1::Job*) override {
        struct Stuck final : grpc::ServerUnaryReactor {
            void OnDone() override { delete this; }
        };
        inside = true;
        return new Stuck;
    }
    std::atomic<bool> inside{false};
};

// Blocks until it is let go, whatever its caller does.
class Deaf final : public jv1::JobService::CallbackService {
public:
    Deaf(rpc::Executor& executor, std::shared_future<void> release)
        : executor_(executor), release_(std::move(release)) {}
    grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                  const jv1::GetJobRequest* request, jv1::Job* response) override {
        return rpc::unary(
            executor_, context, request, response,
            [this](const rpc::Call&, const jv1::GetJobRequest& get) -> Result<jv1::Job> {
                ++inside;
                release_.wait();
                seen = get.id();
                return jv1::Job{};
            });
    }
    std::atomic<int> inside{0};
    std::string seen;

private:
    rpc::Executor& executor_;
    std::shared_future<void> release_;
};

class RpcServer : public ::testing::Test {
protected:
    std::unique_ptr<rpc::Server> make(rpc::ServerOptions options = {}) {
        options.listen = "127.0.0.1:0";
        return std::make_unique<rpc::Server>(options, process.context);
    }
    grpc::Status get(const rpc::Server& server, const std::string& id, milliseconds limit = 10s) {
        const auto stub = jv1::JobService::NewStub(rpc::make_channel(server.address()));
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + limit);
        jv1::GetJobRequest request;
        request.set_id(id);
        jv1::Job job;
        return stub->Get(&context, request, &job);
    }
    Process process{"test"};
};

TEST_F(RpcServer, StopsInTimeThoughACallNeverEnds) {
    auto server = make();
    // Left behind with the server, on purpose: gRPC still holds the call.
    auto* service = new NeverFinishes;
    server->add(*service);
    ASSERT_TRUE(server->start({}));
    std::jthread client([&] { EXPECT_FALSE(get(*server, "a", 5s).ok()); });
    ASSERT_TRUE(eventually([&] { return service->inside.load(); }));
    const auto begin = std::chrono::steady_clock::now();
    const auto stopped = server->stop(Deadline::after(600ms));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::deadline_exceeded);
    client.join();
    server.reset();
}

TEST_F(RpcServer, EndsACallThoughItsHandlerIsDeafAndWaitsForTheHandler) {
    std::promise<void> release;
    auto server = make();
    auto deaf = std::make_unique<Deaf>(server->executor(), release.get_future().share());
    Deaf& handler = *deaf;
    server->add(std::move(deaf));
    ASSERT_TRUE(server->start({}));
    EXPECT_EQ(get(*server, "kept", 200ms).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(handler.inside, 1);
    auto stop = std::async(std::launch::async, [&] { return server->stop(Deadline::after(10s)); });
    EXPECT_EQ(stop.wait_for(200ms), std::future_status::timeout) << "a handler is still inside";
    release.set_value();
    EXPECT_TRUE(stop.get());
    EXPECT_EQ(handler.seen, "kept") << "the request outlives the call";
}

TEST_F(RpcServer, RefusesCallsThatItsThreadsCannotTake) {
    std::promise<void> release;
    rpc::ServerOptions options;
    options.handler_threads = 1;
    options.handler_queue = 1;
    auto server = make(options);
    auto deaf = std::make_unique<Deaf>(server->executor(), release.get_future().share());
    Deaf& handler = *deaf;
    server->add(std::move(deaf));
    ASSERT_TRUE(server->start({}));
    auto first = std::async(std::launch::async, [&] { return get(*server, "1"); });
    ASSERT_TRUE(eventually([&] { return handler.inside == 1; }));
    auto second = std::async(std::launch::async, [&] { return get(*server, "2"); });
    ASSERT_TRUE(eventually([&] { return server->executor().waiting() == 1; }));
    const grpc::Status refused = get(*server, "3");
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(rpc::to_error(refused).reason, "OVERLOADED");
    release.set_value();
    EXPECT_TRUE(first.get().ok());
    EXPECT_TRUE(second.get().ok());
    EXPECT_TRUE(server->stop(Deadline::after(5s)));
}

TEST_F(RpcServer, CountsCallsByMethodAndCode) {
    Script script;
    FakeBackend backend(script);
    const auto stub = jv1::JobService::NewStub(rpc::make_channel(backend.address()));
    for (const char* id : {"a", "b", "none"}) {
        grpc::ClientContext context;
        jv1::GetJobRequest request;
        request.set_id(id);
        jv1::Job job;
        (void)stub->Get(&context, request, &job);
    }
    const auto counted = [&](const std::string& line) {
        return eventually(
            [&] { return backend.process().metrics.text().find(line) != std::string::npos; });
    };
    EXPECT_TRUE(counted(
        R"(gantry_grpc_requests_total{code="OK",method="gantry.jobs.v1.JobService/Get"} 2)"));
    EXPECT_TRUE(counted(
        R"(gantry_grpc_requests_total{code="NOT_FOUND",method="gantry.jobs.v1.JobService/Get"} 1)"));
}

TEST_F(RpcServer, SaysWhichAddressItCannotHave) {
    Script script;
    FakeBackend backend(script);
    rpc::ServerOptions options;
    options.listen = backend.address();
    rpc::Server second(options, process.context);
    const auto started = second.start({});
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find(backend.address()), std::string::npos);
}

}  // namespace
}  // namespace gantry::testing
