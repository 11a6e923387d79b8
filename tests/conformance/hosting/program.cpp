// A program that tests start as a child process: an admin port and a worker that does as
// `work.mode` says.

#include "gantry/admin/server.hpp"
#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/run.hpp"
#include "gantry/logging/log.hpp"

#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace gantry;

struct WorkOptions {
    admin::Options admin;
    std::string mode = "run";
    int most = 10;
    std::string password;
    void bind(config::Binder& binder) {
        admin.bind(binder);
        binder.add("work.mode", mode, "How the worker behaves.")
            .one_of({"run", "throw", "fail_start", "slow_start", "hang_stop", "hang_destroy",
                     "throw_validate", "stuck", "closed_pipe"});
        binder.add("work.most", most, "Shown in the metrics.").range(1, 100).reloadable();
        binder.add("work.password", password, "Its length is shown in the metrics.")
            .secret()
            .reloadable();
    }
    [[nodiscard]] std::vector<config::Fault> validate() const {
        if (mode == "throw_validate") {
            throw std::runtime_error("cannot read the schedules");
        }
        return {};
    }
};

class Worker final : public hosting::BackgroundService {
public:
    Worker(std::string mode, hosting::Context& context)
        : BackgroundService("worker", context), mode_(std::move(mode)) {}
    ~Worker() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override {
        if (mode_ == "throw") {
            throw std::runtime_error("broken");
        }
        if (mode_ == "hang_stop" || mode_ == "stuck") {
            context().clock.sleep_for(std::chrono::hours{1}, {});
        }
        if (mode_ == "closed_pipe") {
            write_to_closed_pipe();
        }
        while (context().clock.sleep_for(std::chrono::milliseconds{20}, stop)) {
            beat();
        }
        return {};
    }

private:
    static void write_to_closed_pipe() {
        std::array<int, 2> ends{};
        if (pipe(ends.data()) == 0) {
            close(ends[0]);
            const bool refused = write(ends[1], "x", 1) < 0 && errno == EPIPE;
            close(ends[1]);
            logging::info("wrote to a closed pipe", {{"refused", refused}});
        }
    }

    std::string mode_;
};

class Refusing final : public hosting::HostedService {
public:
    Result<void> start(std::stop_token) override { return fail(Code::internal, "refused"); }
    Result<void> stop(Deadline) override { return {}; }
};

class SlowToStart final : public hosting::HostedService {
public:
    explicit SlowToStart(hosting::Context& context) : context_(context) {}
    Result<void> start(std::stop_token aborted) override {
        logging::info("slow start under way");
        context_.clock.sleep_for(std::chrono::hours{1}, aborted);
        return fail(Code::cancelled, "the start was aborted");
    }
    Result<void> stop(Deadline) override { return {}; }

private:
    hosting::Context& context_;
};

class App {
public:
    static constexpr std::string_view kName = "program";
    static constexpr std::string_view kSummary = "a program under test";
    using Options = WorkOptions;

    App(const config::Live<Options>& live, hosting::Context& context)
        : options_(live.get()), context_(context) {
        auto& most = context.metrics.gauge("program_most", "The setting work.most as it is now.");
        auto& length =
            context.metrics.gauge("program_password_length", "How long work.password is now.");
        context.metrics.on_scrape([&live, &most, &length] {
            most.set(live.get()->most);
            length.set(static_cast<double>(live.get()->password.size()));
        });
    }
    ~App() {
        if (options_->mode == "hang_destroy") {
            context_.clock.sleep_for(std::chrono::hours{1}, {});
        }
    }
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    void compose(hosting::HostBuilder& host) {
        host.add_outermost(
            "admin", [this] { return std::make_unique<admin::Server>(options_->admin, context_); });
        host.add("worker", [this] { return std::make_unique<Worker>(options_->mode, context_); });
        if (options_->mode == "fail_start") {
            host.add("refusing", [] { return std::make_unique<Refusing>(); });
        }
        if (options_->mode == "slow_start") {
            host.add("slow", [this] { return std::make_unique<SlowToStart>(context_); });
        }
    }

private:
    std::shared_ptr<const Options> options_;
    hosting::Context& context_;
};

}  // namespace

int main(int argc, char** argv) {
    const int code = hosting::run<App>(argc, argv);
    std::printf("main returns %d\n", code);
    return code;
}
