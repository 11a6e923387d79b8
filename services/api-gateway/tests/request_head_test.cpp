#include "request_head.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gantry::gateway {
namespace {

using ::testing::HasSubstr;

TEST(RequestHead, ReadsARequest) {
    const std::string text =
        "POST /v1/jobs?a=b HTTP/1.1\r\nHost: x\r\nContent-Type:application/json  \r\n"
        "content-LENGTH: 12\r\nIdempotency-Key: k 1\r\nConnection: Keep-Alive, Close\r\n"
        "Expect: 100-Continue\r\ntraceparent: 00-a\r\n\r\n";
    const auto head = read_head(text);
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_EQ(head->request.method, "POST");
    EXPECT_EQ(head->request.path, "/v1/jobs");
    EXPECT_EQ(head->request.query, "a=b");
    EXPECT_EQ(head->request.content_type, "application/json");
    EXPECT_EQ(head->request.idempotency_key, "k 1");
    EXPECT_EQ(head->request.traceparent, "00-a");
    EXPECT_EQ(head->content_length, 12U);
    EXPECT_TRUE(head->close);
    EXPECT_TRUE(head->expect_continue);
    EXPECT_FALSE(head->chunked);
}

TEST(RequestHead, KnowsWhenAConnectionEnds) {
    EXPECT_FALSE(read_head("GET / HTTP/1.1\r\nHost: x\r\n\r\n")->close);
    EXPECT_TRUE(read_head("GET / HTTP/1.0\r\n\r\n")->close);
    EXPECT_FALSE(read_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->close);
}

TEST(RequestHead, TakesTheAbsoluteForm) {
    EXPECT_EQ(read_head("GET http://a:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n")->request.path, "/p");
    EXPECT_EQ(read_head("GET http://a HTTP/1.1\r\nHost: x\r\n\r\n")->request.path, "/");
    EXPECT_EQ(read_head("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")->request.path, "*");
}

struct Case {
    std::string text;
    int status;
    std::string says;
};

class RequestHeadRefuses : public ::testing::TestWithParam<Case> {};

TEST_P(RequestHeadRefuses, WhatOthersCouldReadDifferently) {
    const auto head = read_head(GetParam().text + "\r\n");
    ASSERT_FALSE(head) << GetParam().text;
    EXPECT_EQ(head.error().status, GetParam().status);
    EXPECT_THAT(head.error().message, HasSubstr(GetParam().says));
}

std::string with(const std::string& fields) {
    return "POST / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Heads, RequestHeadRefuses,
    ::testing::Values(
        Case{with("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400, "exclude each other"},
        Case{with("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400, "exclude each other"},
        Case{with("Content-Length: 5\r\nContent-Length: 5"), 400, "one number"},
        Case{with("Content-Length: 5, 5"), 400, "one number"},
        Case{with("Content-Length: +5"), 400, "one number"},
        Case{with("Content-Length: -5"), 400, "one number"},
        Case{with("Content-Length: 0x5"), 400, "one number"},
        Case{with("Content-Length: 5 5"), 400, "one number"},
        Case{with("Content-Length:"), 400, "one number"},
        Case{with("Content-Length: 99999999999999999999"), 400, "one number"},
        Case{with("Transfer-Encoding: gzip"), 400, "must be chunked"},
        Case{with("Transfer-Encoding: gzip, chunked"), 400, "must be chunked"},
        Case{with("Transfer-Encoding: chunked, identity"), 400, "must be chunked"},
        Case{with("Transfer-Encoding: xchunked"), 400, "must be chunked"},
        Case{with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400, "once"},
        Case{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400, "HTTP/1.0"},
        Case{with("Transfer-Encoding : chunked"), 400, "a token, a colon"},
        Case{with("A: b\r\n folded"), 400, "folded"}, Case{with("A: b\r\n\tfolded"), 400, "folded"},
        Case{with(" A: b"), 400, "folded"}, Case{with("A: b\nB: c"), 400, "bare line break"},
        Case{with("A: b\rB: c"), 400, "bare line break"},
        Case{with(std::string("A: b\0c", 6)), 400, "control character"},
        Case{with("no colon"), 400, "a token, a colon"}, Case{with(": empty"), 400, "a token"},
        Case{with("A(b): c"), 400, "a token"}, Case{with("Host: y"), 400, "Host must stand once"},
        Case{with("Expect: magic"), 417, "100-continue"},
        Case{with("Content-Type: a\r\nContent-Type: b"), 400, "Content-Type must stand once"},
        Case{with("Idempotency-Key: a\r\nIdempotency-Key: b"), 400, "must stand once"},
        Case{"GET / HTTP/1.1\r\n", 400, "Host is missing"},
        Case{"GET / HTTP/2.0\r\nHost: x\r\n", 505, "version"},
        Case{"GET / http/1.1\r\nHost: x\r\n", 400, "version"},
        Case{"GET /\r\n", 400, "request line"}, Case{"GET  / HTTP/1.1\r\n", 400, "request line"},
        Case{"GET / x HTTP/1.1\r\n", 400, "request line"},
        Case{"G(T / HTTP/1.1\r\nHost: x\r\n", 400, "method"},
        Case{"GET x HTTP/1.1\r\nHost: x\r\n", 400, "target"},
        Case{"GET /\x80 HTTP/1.1\r\nHost: x\r\n", 400, "target"},
        Case{"GET /a#b HTTP/1.1\r\nHost: x\r\n", 400, "target"},
        Case{"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n", 414, "8 KiB"}));

TEST(RequestHead, RefusesTooManyFields) {
    std::string fields;
    for (int i = 0; i < 100; ++i) {
        fields += "A: b\r\n";
    }
    const auto head = read_head(with(fields + "C: d") + "\r\n");
    ASSERT_FALSE(head);
    EXPECT_EQ(head.error().status, 431);
}

// Feeds `text` in pieces of `size`, as the connection does.
std::expected<std::string, HttpFault> decode(std::string_view text, std::size_t size) {
    ChunkedDecoder decoder(100);
    std::string body;
    std::string held;
    while (!text.empty() && !decoder.done()) {
        held += text.substr(0, size);
        text.remove_prefix(std::min(size, text.size()));
        const auto used = decoder.push(held, body);
        if (!used) {
            return std::unexpected(used.error());
        }
        held.erase(0, *used);
    }
    EXPECT_TRUE(decoder.done());
    return body + "|" + held + std::string(text);
}

TEST(ChunkedDecoder, GivesTheSameForEveryCut) {
    const std::string_view text =
        "4;ext=1\r\nWiki\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
    for (std::size_t size = 1; size <= text.size(); ++size) {
        const auto body = decode(text, size);
        ASSERT_TRUE(body) << size;
        EXPECT_EQ(*body, "Wiki0123456789|NEXT") << size;
    }
}

TEST(ChunkedDecoder, RefusesMalformedFraming) {
    for (const std::string_view text :
         {"x\r\nabc\r\n0\r\n\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "\r\n",
          "1\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "11111111111111111\r\n",
          "1 \r\na\r\n", ";x\r\n"}) {
        const auto body = decode(text, text.size());
        ASSERT_FALSE(body) << text;
        EXPECT_EQ(body.error().status, 400) << text;
    }
}

TEST(ChunkedDecoder, RefusesMoreThanItsLimitBeforeReadingIt) {
    ChunkedDecoder decoder(100);
    std::string out;
    const auto large = decoder.push("ffffffff\r\nabc", out);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().status, 413);
    EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace gantry::gateway
