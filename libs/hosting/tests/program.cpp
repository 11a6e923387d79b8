// A program that a test starts as a child process: one worker that does as `work.mode` says.

#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/run.hpp"
#include "gantry/logging/log.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace gantry;

struct WorkOptions {
    std::string mode = "run";
    void bind(config::Binder& binder) {
        binder.add("work.mode", mode, "How the worker behaves.")
            .one_of({"run", "throw", "fail_start", "hang_stop", "hang_destroy", "throw_validate"});
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
        if (mode_ == "hang_stop") {
            context().clock.sleep_for(std::chrono::hours{1}, {});
        }
        while (context().clock.sleep_for(std::chrono::seconds{1}, stop)) {
            beat();
        }
        return {};
    }

private:
    std::string mode_;
};

class Refusing final : public hosting::HostedService {
public:
    Result<void> start(std::stop_token) override { return fail(Code::internal, "refused"); }
    Result<void> stop(Deadline) override { return {}; }
};

class App {
public:
    static constexpr std::string_view kName = "program";
    static constexpr std::string_view kSummary = "a program under test";
    using Options = WorkOptions;

    App(const Options& options, hosting::Context& context) : options_(options), context_(context) {}
    ~App() {
        if (options_.mode == "hang_destroy") {
            context_.clock.sleep_for(std::chrono::hours{1}, {});
        }
    }
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    void compose(hosting::HostBuilder& host) {
        host.add("worker", [this] { return std::make_unique<Worker>(options_.mode, context_); });
        if (options_.mode == "fail_start") {
            host.add("refusing", [] { return std::make_unique<Refusing>(); });
        }
    }

private:
    const Options& options_;
    hosting::Context& context_;
};

}  // namespace

int main(int argc, char** argv) {
    return hosting::run<App>(argc, argv);
}
