// The exporter against a real HTTP server on the loopback interface, which parses what comes.

#include "gantry/otlp/exporter.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

namespace gantry::otlp {
namespace {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using boost::asio::ip::tcp;
using Json = nlohmann::json;

/// Answers each POST of /v1/traces with the next status of a list, the last one for ever.
class Collector {
public:
    struct Request {
        std::string target;
        std::string content_type;
        std::string authorization;
        Json body;
    };

    explicit Collector(std::vector<unsigned> statuses)
        : statuses_(std::move(statuses)), thread_([this] { run(); }) {}
    ~Collector() {
        done_ = true;
        // Wakes the accept.
        boost::system::error_code ignored;
        tcp::socket(io_).connect(acceptor_.local_endpoint(), ignored);
    }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    std::vector<Request> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 20s, [&] { return requests_.size() >= count; });
        return requests_;
    }

private:
    void run() {
        while (!done_) {
            tcp::socket socket(io_);
            boost::system::error_code error;
            acceptor_.accept(socket, error);
            if (!error && !done_) {
                serve(socket);
            }
        }
    }
    void serve(tcp::socket& socket) {
        boost::system::error_code error;
        beast::flat_buffer buffer;
        beast_http::request<beast_http::string_body> request;
        beast_http::read(socket, buffer, request, error);
        if (error) {
            return;
        }
        unsigned status = 0;
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back({std::string(request.target()),
                                 std::string(request[beast_http::field::content_type]),
                                 std::string(request[beast_http::field::authorization]),
                                 Json::parse(request.body(), nullptr, false)});
            status = statuses_[std::min(requests_.size(), statuses_.size()) - 1];
        }
        beast_http::response<beast_http::string_body> response(
            static_cast<beast_http::status>(status), 11);
        response.body() = "{}";
        response.prepare_payload();
        beast_http::write(socket, response, error);
        changed_.notify_all();
    }

    // Constant after construction.
    std::vector<unsigned> statuses_;
    // The server's thread.
    boost::asio::io_context io_;
    tcp::acceptor acceptor_{io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
    std::atomic<bool> done_ = false;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Request> requests_;
    std::jthread thread_;
};

class CollectorTest : public testing::Test {
protected:
    std::unique_ptr<Exporter> start(const Collector& collector) {
        Options options;
        options.endpoint = collector.url();
        options.headers = "authorization=Bearer abc";
        options.interval = 50ms;
        auto exporter =
            std::make_unique<Exporter>("traces", context_, [options] { return options; }, *client_);
        EXPECT_TRUE(exporter->start({}));
        return exporter;
    }
    double count(const char* outcome) {
        return metrics_.counter("gantry_tracing_spans_total", "", {{"outcome", outcome}}).value();
    }

    metrics::Registry metrics_;
    health::Registry health_{system_clock()};
    health::Watchdog watchdog_{system_clock(), {}};
    hosting::Lifetime lifetime_;
    hosting::Context context_{"worker", "1.0",     system_clock(), metrics_,
                              health_,  watchdog_, lifetime_};
    std::unique_ptr<http::Client> client_ = http::make_client();
};

TEST_F(CollectorTest, GetsWhatWasMeasured) {
    Collector collector({200});
    const auto exporter = start(collector);
    std::string trace_id;
    std::string parent_id;
    {
        const tracing::Span parent("parent", tracing::SpanKind::server, {});
        tracing::Span child("child", tracing::SpanKind::client, parent.context());
        child.set("queue", "orders");
        trace_id = parent.context().trace_id_hex();
        parent_id = parent.context().span_id_hex();
    }
    const auto requests = collector.wait_for(1);
    ASSERT_FALSE(requests.empty());
    EXPECT_EQ(requests[0].target, "/v1/traces");
    EXPECT_EQ(requests[0].content_type, "application/json");
    EXPECT_EQ(requests[0].authorization, "Bearer abc");
    EXPECT_TRUE(exporter->stop(Deadline::after(10s)));
    std::vector<Json> spans;
    for (const auto& request : collector.wait_for(1)) {
        for (const auto& span : request.body["resourceSpans"][0]["scopeSpans"][0]["spans"]) {
            spans.push_back(span);
        }
    }
    ASSERT_EQ(spans.size(), 2U);
    EXPECT_EQ(spans[0]["name"], "child");
    EXPECT_EQ(spans[0]["traceId"], trace_id);
    EXPECT_EQ(spans[0]["parentSpanId"], parent_id);
    EXPECT_EQ(spans[0]["kind"], 3);
    EXPECT_EQ(spans[1]["spanId"], parent_id);
    EXPECT_FALSE(spans[1].contains("parentSpanId"));
    EXPECT_EQ(count("sent"), 2);
}

TEST_F(CollectorTest, GetsItLaterWhereItWasBusy) {
    Collector collector({503, 200});
    const auto exporter = start(collector);
    {
        const tracing::Span span("work", tracing::SpanKind::internal, {});
    }
    const auto requests = collector.wait_for(2);
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].body, requests[1].body);
    EXPECT_TRUE(exporter->stop(Deadline::after(10s)));
    EXPECT_EQ(count("sent"), 1);
}

}  // namespace
}  // namespace gantry::otlp
