#include "driver/registry/repository.h"

#include <ctime>
#include <regex>
#include <string>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::registry::repository_test {
namespace {

using test::Connection;
using test::SeenRequest;
using test::TestServer;
using Login = RegistryServer::Login;

constexpr std::string_view kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";

/// A user with a registry client; what it said is kept.
class User {
 public:
  explicit User(std::optional<Credential> credential = std::nullopt)
      : credentials_(std::move(credential)),
        registries_(MakeRegistries(*client_, keyring_, {{}, [this](std::string line) {
                                                          std::lock_guard lock(mutex_);
                                                          said_.push_back(std::move(line));
                                                        }})) {}

  std::unique_ptr<Repository> Open(const Reference& name, Access access = Access::kPull) {
    return registries_->Open(name, access);
  }
  std::vector<std::string> said() {
    std::lock_guard lock(mutex_);
    return said_;
  }
  OneCredential& credentials() { return credentials_; }

 private:
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  OneCredential credentials_;
  Keyring keyring_{credentials_, {}};
  std::mutex mutex_;
  std::vector<std::string> said_;
  std::unique_ptr<Registries> registries_;
};

TEST(Repository, ReadsAManifestByTagAndByDigest) {
  RegistryServer server;
  Descriptor kept =
      server.AddManifest("a/b", "latest", std::string(kOciIndexType), std::string(kIndex));
  User user;
  auto repository = user.Open(server.Name("a/b"));
  for (const std::string& reference : {std::string("latest"), kept.digest}) {
    auto got = repository->GetManifest(reference, Cancel::Never());
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->media_type, kOciIndexType);
    EXPECT_EQ(got->digest, kept.digest);
    EXPECT_EQ(got->bytes, kIndex);
  }
  EXPECT_TRUE(user.credentials().hosts().empty()) << "an open registry needs no credentials";
}

TEST(Repository, SaysWhatIsNotThereAndWhy) {
  RegistryServer server;
  User user;
  auto repository = user.Open(server.Name("a/b"));
  auto got = repository->GetManifest("nothing", Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(got.error().message(),
            Cat("reading ", server.host(), "/a/b:nothing: the registry ", server.host(),
                " does not have it: status 404: MANIFEST_UNKNOWN: manifest unknown"));
  EXPECT_EQ(server.seen().size(), 1U) << "404 is final";
  EXPECT_EQ(*repository->HasManifest(DigestOf("x"), Cancel::Never()), false);
}

/// A user whose credential helper is not installed.
class MissingHelper final : public CredentialSource {
 public:
  Result<std::optional<Credential>> Lookup(const std::string&,
                                           const std::string&,
                                           int,
                                           const Cancel&) override {
    return Fail(ErrorCode::kNotFound, "docker-credential-x is not installed");
  }
};

TEST(Repository, MissingHelperIsNotAMissingManifest) {
  RegistryServer server(Login::kBasic);
  MissingHelper helper;
  auto client = http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  Keyring keyring(helper, {});
  auto registries = MakeRegistries(*client, keyring, {});
  auto repository = registries->Open(server.Name("a/b"), Access::kPull);
  Result<bool> there = repository->HasManifest(DigestOf("x"), Cancel::Never());
  ASSERT_FALSE(there);
  EXPECT_NE(there.error().message().find("docker-credential-x is not installed"),
            std::string::npos);
}

TEST(Repository, WritesAManifest) {
  RegistryServer server(Login::kBasic);
  User user(UserAndPassword());
  auto repository = user.Open(server.Name("a/b"), Access::kPush);
  auto digest = repository->PutManifest("v1", std::string(kOciIndexType), std::string(kIndex),
                                        Cancel::Never());
  ASSERT_TRUE(digest) << digest.error().message();
  EXPECT_EQ(*digest, DigestOf(kIndex));
  EXPECT_EQ(server.Content("a/b", "v1"), kIndex);
  EXPECT_TRUE(*repository->HasManifest(*digest, Cancel::Never()));
  EXPECT_EQ(server.Count("PUT"), 2) << "one that was challenged, one with the password";
}

TEST(Repository, CaptivePortalWritesAndHasNothing) {
  RegistryServer server;
  server.set_fault([](Connection& connection, const SeenRequest& request, int) {
    bool head = request.method == "HEAD";
    connection.Reply(200, head ? "" : "<html>", "Content-Type: text/html\r\n");
    return true;
  });
  User user(std::nullopt);
  auto repository = user.Open(server.Name("a/b"), Access::kPush);
  auto failures = {
      repository
          ->PutManifest("v1", std::string(kOciIndexType), std::string(kIndex), Cancel::Never())
          .map([](auto&&) {}),
      repository->GetManifest("v1", Cancel::Never()).map([](auto&&) {}),
      repository->HasManifest(DigestOf("x"), Cancel::Never()).map([](auto&&) {}),
  };
  for (const Result<>& failed : failures) {
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find("is no registry: status 200 with a web page"),
              std::string::npos)
        << failed.error().message();
    EXPECT_NE(failed.error().hint().find("captive portal"), std::string::npos);
  }
}

TEST(Repository, FetchesOneTokenForAllThreads) {
  RegistryServer server(Login::kBearer);
  server.AddManifest("a/b", "latest", std::string(kOciIndexType), std::string(kIndex));
  User user(UserAndPassword());
  TaskGroup threads(Cancel::Never());
  for (int i = 0; i < 8; ++i) {
    threads.Start("reader", [&](const Cancel& cancel) -> Result<> {
      auto repository = user.Open(server.Name("a/b"));
      TRY(repository->GetManifest("latest", cancel));
      return {};
    });
  }
  Result<> done = threads.Wait();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(server.Count("POST /token"), 1);
  EXPECT_EQ(server.Count("GET /token"), 0);
}

TEST(Repository, GetsAnAnonymousTokenWithoutCredentials) {
  RegistryServer server(Login::kBearer);
  server.AddManifest("a/b", "latest", std::string(kOciIndexType), std::string(kIndex));
  User user;
  ASSERT_TRUE(user.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never()));
  EXPECT_EQ(server.Count("GET /token?service=test&scope=repository%3Aa%2Fb%3Apull&scope="), 1);
}

TEST(Repository, RenewsATokenThatIsRefusedOnce) {
  RegistryServer server(Login::kBearer);
  server.AddManifest("a/b", "latest", std::string(kOciIndexType), std::string(kIndex));
  User user(UserAndPassword());
  auto repository = user.Open(server.Name("a/b"));
  ASSERT_TRUE(repository->GetManifest("latest", Cancel::Never()));
  server.RevokeTokens();
  ASSERT_TRUE(repository->GetManifest("latest", Cancel::Never()));
  EXPECT_EQ(server.Count("POST /token"), 2);
}

TEST(Repository, RefusedCredentialsAreFinalAndNamed) {
  RegistryServer server(Login::kBasic);
  Credential wrong = UserAndPassword();
  wrong.password = Secret("wrong-pa55word");
  User user(wrong);
  auto got = user.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kDenied);
  EXPECT_EQ(got.error().message(),
            Cat("reading ", server.host(), "/a/b:latest: the registry ", server.host(),
                " refused the credentials of config.json: status 401: UNAUTHORIZED: "
                "authentication required"));
  EXPECT_EQ(server.seen().size(), 2U);

  User nobody;
  Error refused = nobody.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never()).error();
  EXPECT_NE(refused.message().find("refused an anonymous request"), std::string::npos);
  EXPECT_NE(refused.hint().find("docker login"), std::string::npos);
  EXPECT_EQ(server.seen().size(), 3U) << "without credentials a second request is pointless";
}

TEST(Repository, RegistryThatRefusesEveryTokenIsAskedABoundedNumberOfTimes) {
  User user(UserAndPassword());
  RegistryServer strict(Login::kBearer);
  int asked = 0;
  TestServer refusing(TestServer::Always([&](Connection& connection, SeenRequest& request) {
    if (request.target == "/v2/") return connection.Reply(200, "");
    ++asked;
    connection.Reply(
        401, "", Cat("WWW-Authenticate: Bearer realm=\"http://", strict.host(), "/token\"\r\n"));
  }));
  Reference name{Cat("127.0.0.1:", refusing.port()), "a/b", "latest", ""};
  auto got = user.Open(name)->GetManifest("latest", Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kDenied);
  EXPECT_LE(asked, 3);
  EXPECT_LE(strict.Count("POST /token"), 2);
}

TEST(Repository, EchoedSecretsAreNotQuoted) {
  TestServer echo(TestServer::Always([](Connection& connection, SeenRequest& request) {
    if (request.target == "/v2/") return connection.Reply(200, "");
    if (request.headers.count("authorization") == 0) {
      return connection.Reply(401, "", "WWW-Authenticate: Basic realm=x\r\n");
    }
    connection.Reply(403,
                     Cat(R"({"errors":[{"code":"DENIED","message":"not )", kPassword, "\"}]}"));
  }));
  User user(UserAndPassword());
  Reference name{Cat("127.0.0.1:", echo.port()), "a/b", "latest", ""};
  auto got = user.Open(name)->GetManifest("latest", Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kDenied);
  EXPECT_EQ(got.error().message().find(kPassword), std::string::npos);
}

TEST(Repository, FailuresThatPassAreTriedAgainAndSaid) {
  for (int status : {429, 500, 502, 503, 504}) {
    RegistryServer server;
    server.AddManifest("a/b", "latest", std::string(kOciIndexType), std::string(kIndex));
    server.set_fault([&](Connection& connection, const SeenRequest&, int before) {
      if (before >= 1) return false;
      connection.Reply(status, "", "Retry-After: 0\r\n");
      return true;
    });
    User user;
    auto got = user.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never());
    ASSERT_TRUE(got) << got.error().message();
    ASSERT_EQ(user.said().size(), 1U);
    EXPECT_EQ(user.said()[0],
              Cat("reading ", server.host(), "/a/b:latest: the registry ", server.host(),
                  " answered with status ", status, "; trying again in 0.0 s (attempt 2 of 4)"));
  }
}

TEST(Repository, GivesUpAfterFourAttempts) {
  RegistryServer server;
  server.set_fault([&](Connection& connection, const SeenRequest&, int) {
    connection.Reply(503, R"({"errors":[{"code":"UNAVAILABLE"}]})", "Retry-After: 0\r\n");
    return true;
  });
  User user;
  auto got = user.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(got.error().message(),
            Cat("reading ", server.host(), "/a/b:latest (4 attempts): the registry ", server.host(),
                " failed: status 503: UNAVAILABLE"));
  EXPECT_EQ(server.seen().size(), 4U);
}

TEST(Repository, WhetherSomethingCanBeReadIsAskedOnce) {
  RegistryServer server;
  User user;
  auto repository = user.Open(server.Name("a/b"));
  const std::string digest = *repository->PutManifest("cache", std::string(kOciIndexType),
                                                      std::string(kIndex), Cancel::Never());
  EXPECT_TRUE(repository->CheckPull("cache", Cancel::Never()));
  EXPECT_TRUE(repository->CheckPull(digest, Cancel::Never()));
  EXPECT_EQ(repository->CheckPull("none", Cancel::Never()).error().code(), ErrorCode::kNotFound);
  const std::size_t before = server.seen().size();
  server.set_fault([&](Connection& connection, const SeenRequest&, int) {
    connection.Reply(503, "", "Retry-After: 0\r\n");
    return true;
  });
  EXPECT_EQ(repository->CheckPull("cache", Cancel::Never()).error().code(),
            ErrorCode::kUnavailable);
  EXPECT_EQ(server.seen().size(), before + 1);
}

TEST(Repository, LongPauseIsNotWaitedFor) {
  for (const std::string& header :
       {std::string("Retry-After: 3600"), std::string("RateLimit-Reset: 3600"),
        Cat("X-RateLimit-Reset: ", ::time(nullptr) + 3600)}) {
    RegistryServer server;
    server.set_fault([&](Connection& connection, const SeenRequest&, int) {
      connection.Reply(429, "", Cat(header, "\r\n"));
      return true;
    });
    User user;
    auto got = user.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::kUnavailable);
    static const std::regex says(
        R"(it asks to be left alone for (3600|359\d) s, until \d\d:\d\d:\d\d UTC)");
    EXPECT_TRUE(std::regex_match(got.error().hint(), says)) << header << ": " << got.error().hint();
    EXPECT_EQ(server.seen().size(), 1U);
  }
}

TEST(Repository, PutThatWasCutIsTriedAgain) {
  for (bool arrived : {false, true}) {
    RegistryServer server;
    server.set_fault([&](Connection& connection, const SeenRequest& request, int before) {
      // libcurl sends once more by itself when the connection was an old one.
      if (request.method != "PUT" || before >= 2) return false;
      if (arrived) {
        server.AddManifest("a/b", "v1", std::string(kOciIndexType), request.body);
      }
      connection.Break();
      return true;
    });
    User user;
    auto repository = user.Open(server.Name("a/b"), Access::kPush);
    auto digest = repository->PutManifest("v1", std::string(kOciIndexType), std::string(kIndex),
                                          Cancel::Never());
    ASSERT_TRUE(digest) << digest.error().message();
    EXPECT_EQ(server.Content("a/b", "v1"), kIndex);
    EXPECT_EQ(server.Count("PUT"), 3);
    EXPECT_EQ(user.said().size(), 1U);
  }
}

TEST(Repository, CancelledPauseEndsAtOnce) {
  RegistryServer server;
  CancelSource stop;
  server.set_fault([&](Connection& connection, const SeenRequest&, int) {
    connection.Reply(500, "", "Retry-After: 25\r\n");
    stop.Request(Error(ErrorCode::kCancelled, "the user"));
    return true;
  });
  User user;
  auto start = std::chrono::steady_clock::now();
  auto got = user.Open(server.Name("a/b"))->GetManifest("latest", stop.cancel());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

TEST(Repository, ContentWithAnotherDigestIsRefused) {
  RegistryServer server;
  std::string digest = server.AddBlob("a/b", "content");
  Descriptor manifest =
      server.AddManifest("a/b", "", std::string(kOciIndexType), std::string(kIndex));
  server.set_fault([&](Connection& connection, const SeenRequest&, int) {
    connection.Reply(200, R"({"manifests":[],"evil":true})",
                     Cat("Content-Type: ", kOciIndexType,
                         "\r\nDocker-Content-Digest: ", manifest.digest, "\r\n"));
    return true;
  });
  User user;
  auto repository = user.Open(server.Name("a/b"));
  EXPECT_EQ(repository->GetBlob(digest, 100, Cancel::Never()).error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(repository->GetManifest(manifest.digest, Cancel::Never()).error().code(),
            ErrorCode::kInvalid);
  EXPECT_EQ(repository->GetManifest("latest", Cancel::Never()).error().code(), ErrorCode::kInvalid);
}

TEST(Repository, BlobsAreBounded) {
  RegistryServer server;
  std::string small = server.AddBlob("a/b", "0123456789");
  std::string large = server.AddBlob("a/b", std::string(1 << 20, 'x'));
  User user;
  auto repository = user.Open(server.Name("a/b"));
  EXPECT_EQ(*repository->GetBlob(small, 10, Cancel::Never()), "0123456789");
  EXPECT_FALSE(repository->GetBlob(small, 9, Cancel::Never()));
  EXPECT_FALSE(repository->GetBlob(large, 1000, Cancel::Never()));
}

TEST(Repository, ForeignAndContradictingMediaTypesAreRefused) {
  RegistryServer server;
  std::string list(kIndex);
  server.AddManifest("a/b", "lie", std::string(kOciManifestType), list);
  server.AddManifest("a/b", "html", "text/html", "<html>");
  server.AddManifest("a/b", "plain", "application/json; charset=utf-8", list);
  User user;
  auto repository = user.Open(server.Name("a/b"));
  EXPECT_EQ(repository->GetManifest("lie", Cancel::Never()).error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(repository->GetManifest("html", Cancel::Never()).error().code(),
            ErrorCode::kUnsupported);
  auto plain = repository->GetManifest("plain", Cancel::Never());
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_EQ(plain->media_type, kOciIndexType);
}

/// A place that blobs are redirected to; keeps the Authorization headers that it got.
class Elsewhere {
 public:
  std::string Url(const std::string& path) const { return server_.Url(path); }
  std::string authorization() const { return authorization_; }
  int asked() const { return asked_; }
  int status = 200;

 private:
  std::string authorization_;
  int asked_ = 0;
  TestServer server_{TestServer::Always([this](Connection& connection, SeenRequest& request) {
    authorization_ += request.headers["authorization"];
    ++asked_;
    connection.Reply(status, "content", status == 401 ? "WWW-Authenticate: Basic realm=x\r\n" : "");
  })};
};

TEST(Repository, CredentialsDoNotFollowARedirectToAnotherHost) {
  RegistryServer server(Login::kBasic);
  Elsewhere elsewhere;
  std::string digest = DigestOf("content");
  server.set_fault([&](Connection& connection, const SeenRequest&, int) {
    connection.Reply(307, "", Cat("Location: ", elsewhere.Url("/x?sig=1"), "\r\n"));
    return true;
  });
  User user(UserAndPassword());
  auto repository = user.Open(server.Name("a/b"));
  auto blob = repository->GetBlob(digest, 100, Cancel::Never());
  ASSERT_TRUE(blob) << blob.error().message();
  EXPECT_EQ(*blob, "content");
  EXPECT_EQ(elsewhere.authorization(), "");

  elsewhere.status = 401;
  EXPECT_FALSE(repository->GetBlob(digest, 100, Cancel::Never()));
  EXPECT_EQ(elsewhere.authorization(), "") << "its challenge is not answered";
  EXPECT_EQ(elsewhere.asked(), 2);
}

TEST(Repository, RedirectOnTheSameHostKeepsCredentials) {
  RegistryServer server(Login::kBasic);
  std::string digest = server.AddBlob("a/b", "content");
  server.set_fault([&](Connection& connection, const SeenRequest& request, int) {
    if (request.target.find("moved") == std::string::npos) {
      connection.Reply(302, "", "Location: /v2/moved\r\n");
    } else {
      connection.Reply(200, "content");
    }
    return true;
  });
  User user(UserAndPassword());
  auto blob = user.Open(server.Name("a/b"))->GetBlob(digest, 100, Cancel::Never());
  ASSERT_TRUE(blob) << blob.error().message();
}

TEST(Repository, EndlessAndForeignRedirectsAreRefused) {
  for (const char* target : {"/v2/again", "file:///etc/passwd", "ftp://x/", "relative", "",
                             "http://user@example.com/", "http://a b/"}) {
    RegistryServer server;
    server.set_fault([&](Connection& connection, const SeenRequest&, int) {
      connection.Reply(307, "", Cat("Location: ", target, "\r\n"));
      return true;
    });
    User user;
    auto blob = user.Open(server.Name("a/b"))->GetBlob(DigestOf(""), 100, Cancel::Never());
    ASSERT_FALSE(blob) << target;
    EXPECT_EQ(blob.error().code(), ErrorCode::kInvalid) << target;
    EXPECT_LE(server.seen().size(), 6U);
  }
}

TEST(Repository, ARedirectedWriteIsRefused) {
  RegistryServer server;
  Elsewhere elsewhere;
  server.set_fault([&](Connection& connection, const SeenRequest&, int) {
    connection.Reply(307, "", Cat("Location: ", elsewhere.Url("/x"), "\r\n"));
    return true;
  });
  User user;
  auto repository = user.Open(server.Name("a/b"), Access::kPush);
  EXPECT_FALSE(repository->PutManifest("v1", std::string(kOciIndexType), "{}", Cancel::Never()));
  EXPECT_EQ(elsewhere.asked(), 0);
}

TEST(Repository, EncryptedRegistryOnThisMachineIsFound) {
  test::TestAuthority authority;
  authority.Issue("server", "IP:127.0.0.1");
  RegistryServer server(Login::kBasic,
                        {authority.path("server.pem"), authority.path("server.key"), ""});
  server.AddManifest("a/b", "latest", std::string(kOciIndexType), std::string(kIndex));
  User user(UserAndPassword());
  auto got = user.Open(server.Name("a/b"))->GetManifest("latest", Cancel::Never());
  ASSERT_TRUE(got) << got.error().message();
}

TEST(Repository, UnreachableRegistryIsNamed) {
  User user;
  auto cancel = Cancel::Never().WithTimeout(std::chrono::seconds(1), "the test");
  Reference name{"127.0.0.1:1", "a/b", "latest", ""};
  auto got = user.Open(name)->GetManifest("latest", cancel);
  ASSERT_FALSE(got);
  ASSERT_FALSE(user.said().empty());
  EXPECT_NE(user.said()[0].find("cannot reach the registry 127.0.0.1:1: connection refused"),
            std::string::npos)
      << user.said()[0];
}

TEST(Repository, PlatformComesFromTheConfig) {
  RegistryServer server;
  std::string config = R"({"architecture":"arm","os":"linux","variant":"v7","rootfs":{}})";
  std::string digest = server.AddBlob("a/b", config);
  std::string manifest =
      Cat(R"({"schemaVersion":2,"config":{"mediaType":")", kOciConfigType, R"(","digest":")",
          digest, R"(","size":)", config.size(), R"(},"layers":[]})");
  User user;
  auto repository = user.Open(server.Name("a/b"));
  auto platform = ReadImagePlatform(*repository, manifest, Cancel::Never());
  ASSERT_TRUE(platform) << platform.error().message();
  EXPECT_EQ(platform->Dump(), R"({"architecture":"arm","os":"linux","variant":"v7"})");
}

}  // namespace
}  // namespace depot::registry::repository_test
