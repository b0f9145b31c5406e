#include "pool/identity/issuer_keys.h"

#include <atomic>
#include <mutex>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/http/test_server.h"
#include "tests/unit/identity/test_issuer.h"

namespace depot::identity::issuer_keys_test {
namespace {

using test::Connection;
using test::KeySet;
using test::SeenRequest;
using test::TempDir;
using test::TestKey;
using test::TestServer;

constexpr std::int64_t kNow = 1800000000;

/// An issuer's web server: the discovery document and the keys.
class IssuerKeysTest : public testing::Test {
 protected:
  IssuerKeysTest() { issuer_.issuer = server_.Url(""); }

  void Answer(Connection& connection, const SeenRequest& request) {
    while (hold_ && connection.cancel().SleepFor(std::chrono::milliseconds(10))) {
    }
    if (delay_) (void)connection.cancel().SleepFor(std::chrono::milliseconds(200));
    std::lock_guard lock(mutex_);
    ++requests_;
    if (request.target == "/.well-known/openid-configuration") {
      Json document;
      document.Set("issuer", Json::String(said_issuer_.empty() ? server_.Url("") : said_issuer_));
      document.Set("jwks_uri",
                   Json::String(said_keys_.empty() ? server_.Url("/keys") : said_keys_));
      connection.Reply(200, document.Dump());
    } else {
      ++key_requests_;
      connection.Reply(status_, body_, extra_headers_);
    }
  }

  void Publish(const std::vector<Json>& keys) {
    std::lock_guard lock(mutex_);
    body_ = KeySet(keys);
  }

  /// Asks until it is known.
  Result<PublicKey> Find(const std::string& id, std::int64_t now = kNow) {
    const Cancel soon = Cancel::Never().WithTimeout(std::chrono::seconds(20), "the keys");
    while (!soon.cancelled()) {
      TRY_ASSIGN(std::optional<PublicKey> key, keys_->Find(issuer_, id, now));
      if (key) return *std::move(key);
      (void)soon.SleepFor(std::chrono::milliseconds(5));
    }
    return Fail(soon.error());
  }

  /// Waits until the issuer was asked for its keys so often, and the pool has them.
  bool Fetched(int times, const std::string& id, std::int64_t now = kNow) {
    for (int i = 0; i < 1000 && (key_requests() < times || !Find(id, now)); ++i)
      (void)Cancel::Never().SleepFor(std::chrono::milliseconds(10));
    return key_requests() == times;
  }

  std::string Why(const std::string& id, std::int64_t now = kNow) {
    const Result<PublicKey> key = Find(id, now);
    return key ? "found" : key.error().message();
  }

  /// Changes what the server's threads read.
  template <typename T>
  void Set(T& member, T value) {
    std::lock_guard lock(mutex_);
    member = std::move(value);
  }

  int requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

  int key_requests() {
    std::lock_guard lock(mutex_);
    return key_requests_;
  }

  const TestKey a_ = TestKey::Ed25519("a");
  const TestKey b_ = TestKey::Ed25519("b");
  std::atomic<bool> delay_ = false;
  std::atomic<bool> hold_ = false;  ///< the issuer does not answer
  std::mutex mutex_;
  int requests_ = 0;
  int key_requests_ = 0;
  int status_ = 200;
  std::string body_ = KeySet({a_.Jwk()});
  std::string extra_headers_;
  std::string said_issuer_;
  std::string said_keys_;
  TestServer server_{TestServer::Always(
      [this](Connection& connection, const SeenRequest& request) { Answer(connection, request); })};
  settings::OidcSettings issuer_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test", std::chrono::seconds(5), {});
  std::unique_ptr<IssuerKeys> keys_ = MakeIssuerKeys(*client_);
};

#define EXPECT_SAYS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << (text) << "\n  lacks: " << (part)

TEST_F(IssuerKeysTest, AreDiscoveredAndKept) {
  const Result<PublicKey> key = Find("a");
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(key->type, "Ed25519");
  EXPECT_TRUE(CheckSignature(*key, "EdDSA", "hello", a_.Signature("EdDSA", "hello")));
  EXPECT_TRUE(Find("a", kNow + 599));
  EXPECT_EQ(key_requests(), 1);
  Publish({a_.Jwk(), b_.Jwk()});
  EXPECT_TRUE(Find("a", kNow + 600)) << "the keys from before serve while new ones are fetched";
  EXPECT_TRUE(Fetched(2, "b", kNow + 601)) << "ten minutes are over";
  EXPECT_TRUE(Find("a", kNow));
  EXPECT_EQ(key_requests(), 3) << "the clock went back";
}

TEST_F(IssuerKeysTest, NobodyWaitsForTheIssuer) {
  hold_ = true;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    const auto key = keys_->Find(issuer_, "a", kNow);
    ASSERT_TRUE(key) << key.error().message();
    EXPECT_FALSE(*key);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  hold_ = false;
  EXPECT_TRUE(Find("a"));
  EXPECT_EQ(key_requests(), 1);
}

TEST_F(IssuerKeysTest, StaleKeysServeWhileTheIssuerDoesNot) {
  ASSERT_TRUE(Find("a"));
  hold_ = true;
  const auto stale = keys_->Find(issuer_, "a", kNow + 1000);
  EXPECT_TRUE(stale && *stale);
  hold_ = false;
  ASSERT_TRUE(Fetched(2, "a", kNow + 1000));
  Set(status_, 503);
  EXPECT_TRUE(Find("a", kNow + 1000 + 4199));
  EXPECT_SAYS(Why("a", kNow + 1000 + 4210), "503");
}

TEST_F(IssuerKeysTest, TheUrlOfTheSettingsNeedsNoDiscovery) {
  issuer_.jwks_url = server_.Url("/keys");
  issuer_.issuer = "anything";
  EXPECT_TRUE(Find("a"));
  EXPECT_EQ(requests(), 1);
}

TEST_F(IssuerKeysTest, RotationIsNoticed) {
  ASSERT_TRUE(Find("a"));
  Publish({b_.Jwk()});
  EXPECT_SAYS(Why("b", kNow + 29), "does not have");
  EXPECT_EQ(key_requests(), 1) << "at most every 30 s";
  EXPECT_TRUE(Find("a", kNow + 29));
  EXPECT_TRUE(Find("b", kNow + 30));
  EXPECT_EQ(key_requests(), 2);
  EXPECT_SAYS(Why("a", kNow + 31), "does not have");
}

TEST_F(IssuerKeysTest, UnknownKeysDoNotFloodTheIssuer) {
  for (int i = 0; i < 50; ++i)
    EXPECT_SAYS(Why(Cat("made-up-", i)), "does not have");
  EXPECT_EQ(key_requests(), 1);
}

TEST_F(IssuerKeysTest, AFailureIsToldAndTriedAgainLater) {
  Set(status_, 503);
  EXPECT_SAYS(Why("a"), "503");
  EXPECT_EQ(Find("a", kNow + 1).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(key_requests(), 1);
  Set(status_, 200);
  EXPECT_TRUE(Find("a", kNow + 5));
  Set(status_, 500);
  EXPECT_SAYS(Why("b", kNow + 100), "500");
  EXPECT_TRUE(Find("a", kNow + 101)) << "the keys that are there are still good";
}

TEST_F(IssuerKeysTest, WhatIsNoKeySetIsRefused) {
  std::int64_t now = kNow;
  for (const char* body : {"", "{}", "[]", "{\"keys\":[]}", "{\"keys\":{}}", "<html>"}) {
    Set(body_, std::string(body));
    EXPECT_NE(Why("a", now += 10), "found") << body;
  }
  Set(body_, std::string((1 << 20) + 1, ' '));
  EXPECT_NE(Why("a", now += 10), "found");
  Set(body_, KeySet(std::vector<Json>(101, a_.Jwk())));
  EXPECT_SAYS(Why("a", now += 10), "more than 100");
  Set(body_, KeySet({a_.Jwk()}));
  Set(status_, 302);
  Set(extra_headers_, std::string("Location: /keys\r\n"));
  EXPECT_SAYS(Why("a", now += 10), "302");
}

TEST_F(IssuerKeysTest, DiscoveryMustBeOfThisIssuerAndSecure) {
  Set(said_issuer_, std::string("https://other"));
  EXPECT_SAYS(Why("a"), "another issuer's");
  Set(said_issuer_, std::string());
  Set(said_keys_, std::string("http://other.test/keys"));
  EXPECT_SAYS(Why("a", kNow + 10), "https://");
  EXPECT_EQ(key_requests(), 0);
}

TEST_F(IssuerKeysTest, ManyWhoWaitShareOneFetch) {
  delay_ = true;
  std::atomic<int> found = 0;
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < 8; ++i) {
    group.Start("find", [&](const Cancel& /*cancel*/) -> Result<> {
      if (Find("a")) ++found;
      return {};
    });
  }
  ASSERT_TRUE(group.Wait());
  EXPECT_EQ(found, 8);
  EXPECT_EQ(key_requests(), 1);
}

TEST_F(IssuerKeysTest, EndsAlthoughTheIssuerIsSilent) {
  hold_ = true;
  EXPECT_FALSE(*keys_->Find(issuer_, "a", kNow));
  const auto begin = std::chrono::steady_clock::now();
  keys_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  hold_ = false;
}

TEST_F(IssuerKeysTest, HttpsIsCheckedWithTheCaOfTheSettings) {
  test::TestAuthority authority;
  authority.Issue("issuer", "IP:127.0.0.1");
  TestServer tls(TestServer::Always([this](Connection& connection, const SeenRequest& /*request*/) {
                   connection.Reply(200, KeySet({a_.Jwk()}));
                 }),
                 test::ServerTls{authority.path("issuer.pem"), authority.path("issuer.key"), ""});
  issuer_.jwks_url = tls.Url("/keys");
  EXPECT_EQ(Find("a").error().code(), ErrorCode::kDenied);
  issuer_.ca_pem = authority.Pem("ca.pem");
  EXPECT_TRUE(Find("a")) << "changed settings are not answered from what was kept";
}

TEST_F(IssuerKeysTest, AFileIsReadAgainWhenItChanges) {
  TempDir dir;
  issuer_.jwks_file = dir.path("keys.json");
  EXPECT_SAYS(Why("a"), "keys.json");
  dir.Write("keys.json", KeySet({a_.Jwk()}));
  EXPECT_TRUE(Find("a"));
  dir.Write("new.json", KeySet({b_.Jwk()}));
  std::filesystem::rename(dir.path("new.json"), dir.path("keys.json"));
  EXPECT_TRUE(Find("b"));
  EXPECT_SAYS(Why("a"), "does not have");
  dir.Write("keys.json", "half");
  EXPECT_SAYS(Why("b"), "keys.json: ");
  EXPECT_EQ(requests(), 0);
}

}  // namespace
}  // namespace depot::identity::issuer_keys_test
