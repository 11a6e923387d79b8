#include "gantry/http/client.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

TEST(Url, IsTakenApart) {
    const auto url = Url::parse("https://lab.example:8443/orders?x=1#part");
    ASSERT_TRUE(url);
    EXPECT_TRUE(url->secure);
    EXPECT_EQ(url->host, "lab.example");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->target, "/orders?x=1");
}

TEST(Url, FillsInWhatIsLeftOut) {
    EXPECT_EQ(Url::parse("http://h")->port, 80);
    EXPECT_EQ(Url::parse("https://h")->port, 443);
    EXPECT_EQ(Url::parse("http://h")->target, "/");
    EXPECT_EQ(Url::parse("http://h?a=b")->target, "/?a=b");
}

TEST(Url, TakesAnIpv6Host) {
    const auto url = Url::parse("http://[::1]:81/x");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->host, "::1");
    EXPECT_EQ(url->port, 81);
}

TEST(Url, NamesItsPortToTheServerWhereItIsNotTheUsualOne) {
    EXPECT_EQ(Url::parse("http://h:80/x")->authority(), "h");
    EXPECT_EQ(Url::parse("https://h:80/x")->authority(), "h:80");
    EXPECT_EQ(Url::parse("http://[::1]:81/x")->authority(), "[::1]:81");
}

TEST(Url, RefusesEverythingElse) {
    for (const auto* text :
         {"", "lab.example", "ftp://h/", "http://", "http:///x", "http://user:secret@h/",
          "http://h:0/", "http://h:70000/", "http://h:/", "http://h:8x/", "http://[::1/",
          "http://h /", "http://h/a b", "http://h/\r\nX: y", "http://h/ü", "HTTP://h/"}) {
        const auto url = Url::parse(text);
        EXPECT_FALSE(url) << text;
        if (!url) {
            EXPECT_EQ(url.error().message.find("secret"), std::string::npos);
        }
    }
}

}  // namespace
}  // namespace gantry::http
