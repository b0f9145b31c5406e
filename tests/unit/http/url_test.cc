#include "driver/http/url.h"

#include <gtest/gtest.h>

namespace depot::http::url_test {
namespace {

TEST(Url, IsTakenApart) {
  const auto url = ParseUrl("HTTPS://Registry.Example:5000/v2/a/../b?n=1&m=/x");
  ASSERT_TRUE(url.has_value());
  EXPECT_TRUE(url->encrypted);
  EXPECT_EQ(url->authority, "registry.example:5000");
  EXPECT_EQ(url->rest, "/v2/a/../b?n=1&m=/x");
  EXPECT_EQ(ParseUrl("http://h").value().rest, "/");
  EXPECT_EQ(ParseUrl("http://h?q").value().rest, "/?q");
  EXPECT_EQ(ParseUrl("http://[::1]:80/k").value().authority, "[::1]:80");
  EXPECT_FALSE(ParseUrl("http://h").value().encrypted);
}

TEST(Url, WhatCouldBeReadInTwoWaysIsRefused) {
  for (const auto& [url, why] : {std::pair{"ftp://h/", "is not an http or https URL"},
                                 {"h/x", "is not an http or https URL"},
                                 {"", "is not an http or https URL"},
                                 {"http", "is not an http or https URL"},
                                 {"https", "is not an http or https URL"},
                                 {"https://u:p@h/", "carries a user name"},
                                 {"https://h /", "is malformed"},
                                 {"https://h/\x01", "is malformed"},
                                 {"https://h\\@x/", "is malformed"},
                                 {"https://h/#x", "is malformed"},
                                 {"https://h:99999/", "is malformed"},
                                 {"https://[::1/", "is malformed"},
                                 {"https:///k", "has no host"},
                                 {"https://?q", "has no host"}}) {
    const auto parsed = ParseUrl(url);
    ASSERT_FALSE(parsed.has_value()) << url;
    EXPECT_EQ(parsed.error().message(), why) << url;
  }
}

TEST(Url, AnAddressThatLibcurlTakesForThisMachineIsIt) {
  EXPECT_EQ(ParseUrl("http://0x7f.1/").value().authority, "127.0.0.1");
}

TEST(Url, OriginHoldsNoSecret) {
  EXPECT_EQ(OriginOf("https://u:secret@h:1/path?token=x"), "https://h:1");
  EXPECT_EQ(OriginOf("tcp://h:1"), "tcp://h:1");
  EXPECT_EQ(OriginOf("h/x"), "h");
}

TEST(Url, IsSafeWhenEncryptedOrOnThisMachine) {
  for (const char* url :
       {"https://x/y", "http://localhost/k", "http://127.0.0.1:80/k", "http://[::1]:1"})
    EXPECT_TRUE(IsSafeUrl(url)) << url;
  for (const char* url :
       {"", "http://x/", "https://", "https:///k", "file:///k", "http://127.0.0.1@x/",
        "http://127.0.0.1.x/", "http://localhost.x/", "https://u:p@x/", "http://localhost\\@x",
        "https://x /", "http://[::1].x/"})
    EXPECT_FALSE(IsSafeUrl(url)) << url;
}

}  // namespace
}  // namespace depot::http::url_test
