#include "gantry/admin/server.hpp"
#include "gantry/hosting/polling_worker.hpp"
#include "gantry/hosting/run.hpp"

#include <filesystem>

using namespace gantry;

struct WatchOptions {
    admin::Options admin;
    std::string folder;
    int most = 100;
    void bind(config::Binder& binder) {
        admin.bind(binder);
        binder.add("watch.folder", folder, "The folder to watch.").required();
        binder.add("watch.most", most, "More files are Degraded.").range(0, 1'000'000).reloadable();
    }
};

class Watch final : public hosting::PollingWorker {
public:
    Watch(const config::Live<WatchOptions>& live, hosting::Context& context)
        : PollingWorker("watch", context, {.interval = milliseconds{1'000}}),
          live_(live),
          files_(context.metrics.gauge("drop_watch_files", "Files that wait in the folder.")) {}
    ~Watch() override { join(); }

private:
    Result<Next> run_once(std::stop_token) override {
        std::error_code error;
        const std::filesystem::directory_iterator files(live_.get()->folder, error);
        if (error) {
            return fail(Code::unavailable, "cannot read the folder: " + error.message());
        }
        const auto count = std::distance(begin(files), end(files));
        files_.set(static_cast<double>(count));
        const bool many = count > live_.get()->most;
        report(many ? health::Status::degraded : health::Status::healthy, "looked");
        return Next::wait;
    }
    const config::Live<WatchOptions>& live_;
    metrics::Gauge& files_;
};

struct App {
    static constexpr std::string_view kName = "drop-watch", kSummary = "Counts waiting files.";
    using Options = WatchOptions;
    const config::Live<WatchOptions>& live;
    hosting::Context& context;
    void compose(hosting::HostBuilder& host) {
        host.add_outermost(
            "admin", [&] { return std::make_unique<admin::Server>(live.get()->admin, context); });
        host.add("watch", [&] { return std::make_unique<Watch>(live, context); });
    }
};

int main(int argc, char** argv) {
    return hosting::run<App>(argc, argv);
}
