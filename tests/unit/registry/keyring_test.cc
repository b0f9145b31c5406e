#include "driver/registry/keyring.h"

#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/oci/manifest.h"
#include "driver/registry/repository.h"
#include "tests/unit/http/test_server.h"

namespace depot::registry::keyring_test {
namespace {

using test::Connection;
using test::SeenRequest;
using test::TestServer;

constexpr std::string_view kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";

/// Some candidates, the same for every host; keeps which of them were asked for.
class Several final : public CredentialSource {
 public:
  explicit Several(std::vector<Credential> all) : all_(std::move(all)) {}

  Result<std::optional<Credential>> Lookup(const std::string&,
                                           const std::string&,
                                           int nth,
                                           const Cancel&) override {
    std::lock_guard lock(mutex_);
    furthest_ = std::max(furthest_, nth);
    auto place = static_cast<std::size_t>(nth);
    return place < all_.size() ? std::optional<Credential>(all_[place]) : std::nullopt;
  }

  int furthest() {
    std::lock_guard lock(mutex_);
    return furthest_;
  }

 private:
  const std::vector<Credential> all_;
  std::mutex mutex_;
  int furthest_ = -1;
};

Credential User(const std::string& name, const std::string& source) {
  return {name, Secret(Cat(name, "-pa55word")), {}, {}, source};
}

const Credential kStranger = User("stranger", "DOCKER_AUTH_CONFIG");
const Credential kReader = User("reader", "DOCKER_AUTH_CONFIG");
const Credential kPusher = User("pusher", "config.json");
const Credential kOther = User("stranger2", "CI_REGISTRY_PASSWORD");

/// A registry where everybody but strangers may pull and only "pusher" may push, with its token
/// server. Keeps who came: "PUT reader", "token pusher".
class RightsServer {
 public:
  enum class Kind {
    kBasic,
    kJwt,         ///< tokens tell what they are good for
    kOpaque,      ///< tokens tell nothing
    kStrictToken  ///< the token server refuses who may not do all that was asked
  };

  explicit RightsServer(Kind kind) : kind_(kind) { ::signal(SIGPIPE, SIG_IGN); }

  Reference Name(const std::string& path) const {
    return {Cat("127.0.0.1:", server_.port()), path, "latest", ""};
  }
  std::vector<std::string> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  void Clear() {
    std::lock_guard lock(mutex_);
    seen_.clear();
  }

 private:
  static bool Mentions(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }

  /// Who proves to be who; "" = nobody known.
  static std::string UserOf(const SeenRequest& request) {
    for (const char* user : {"reader", "pusher", "stranger2", "stranger"}) {
      auto header = request.headers.find("authorization");
      std::string given = header == request.headers.end() ? "" : header->second;
      std::string password = Cat(user, "-pa55word");
      bool basic = given == Cat("Basic ", Base64(Cat(user, ':', password)));
      bool token = given.starts_with("Bearer ") && given.ends_with(Cat('.', user));
      if (basic || token || Mentions(request.body, Cat("password=", password))) return user;
    }
    return "";
  }

  void Answer(Connection& connection, const SeenRequest& request) {
    if (request.target == "/v2/") return connection.Reply(200, "{}");
    std::string user = UserOf(request);
    bool token = request.target.starts_with("/token");
    std::string what = token ? "token" : request.method;
    {
      std::lock_guard lock(mutex_);
      seen_.push_back(Cat(what, ' ', user.empty() ? "nobody" : user));
    }
    bool known = !user.empty() && !user.starts_with("stranger");
    if (token) return GiveToken(connection, request, user, known);
    bool may = known && (request.method == "GET" || user == "pusher");
    if (!may) return Refuse(connection, user.empty() || !known);
    if (request.method == "GET") {
      return connection.Reply(200, std::string(kIndex),
                              Cat("Content-Type: ", kOciIndexType, "\r\n"));
    }
    connection.Reply(201, "");
  }

  void GiveToken(Connection& connection,
                 const SeenRequest& request,
                 const std::string& user,
                 bool known) const {
    bool push = Mentions(request.body, "push") || Mentions(request.target, "push");
    bool refuses = kind_ == Kind::kStrictToken && (!known || (push && user != "pusher"));
    if (refuses || user.empty()) return connection.Reply(401, "{}");
    std::string claims = R"({"access":[{"type":"repository","name":"a/b","actions":["pull")";
    claims += Cat(user == "pusher" ? R"(,"push")" : "", "]}]}");
    std::string text = kind_ == Kind::kJwt ? Cat("e30.", Base64(claims)) : "opaque";
    connection.Reply(200, Cat(R"({"access_token":")", text, '.', user, R"(","token":")", text, '.',
                              user, R"(","expires_in":300})"));
  }

  void Refuse(Connection& connection, bool unauthorized) {
    std::string challenge = "Basic realm=\"x\"";
    if (kind_ != Kind::kBasic) {
      challenge = Cat("Bearer realm=\"", server_.Url("/token"), "\",service=\"s\"");
    }
    connection.Reply(unauthorized ? 401 : 403, R"({"errors":[{"code":"DENIED"}]})",
                     Cat("WWW-Authenticate: ", challenge, "\r\n"));
  }

  const Kind kind_;
  std::mutex mutex_;
  std::vector<std::string> seen_;
  TestServer server_{TestServer::Always(
      [this](Connection& connection, SeenRequest& request) { Answer(connection, request); })};
};

/// A build with these candidates.
class Builder {
 public:
  explicit Builder(std::vector<Credential> all) : several(std::move(all)) {}

  Result<std::string> Push(const Reference& name) {
    return registries->Open(name, Access::kPush)
        ->PutManifest("v1", std::string(kOciIndexType), std::string(kIndex), Cancel::Never());
  }
  Result<StoredManifest> Pull(const Reference& name) {
    return registries->Open(name, Access::kPull)->GetManifest("latest", Cancel::Never());
  }
  std::vector<std::string> said() {
    std::lock_guard lock(mutex);
    return lines;
  }

  Several several;
  std::mutex mutex;
  std::vector<std::string> lines;
  Keyring keyring{several, [this](std::string line) {
                    std::lock_guard lock(mutex);
                    lines.push_back(std::move(line));
                  }};
  std::unique_ptr<http::HttpClient> client =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  std::unique_ptr<Registries> registries = MakeRegistries(*client, keyring, {});
};

using Kind = RightsServer::Kind;

class KeyringOf : public testing::TestWithParam<Kind> {
 protected:
  RightsServer server_{GetParam()};
};

TEST_P(KeyringOf, NextCredentialPushesWhenTheFirstMayNot) {
  Builder builder({kReader, kPusher, kOther});
  auto pushed = builder.Push(server_.Name("a/b"));
  ASSERT_TRUE(pushed) << pushed.error().message();
  EXPECT_EQ(builder.said(), std::vector<std::string>{Cat(
                                "DOCKER_AUTH_CONFIG's credential for ", server_.Name("a/b").domain,
                                " may not push to a/b; using config.json's")});
  EXPECT_EQ(builder.several.furthest(), 1) << "the third one was not needed";

  // From now on it is known who may.
  server_.Clear();
  ASSERT_TRUE(builder.Push(server_.Name("a/b")));
  for (const std::string& line : server_.seen())
    EXPECT_EQ(line.find("reader"), std::string::npos) << line;
  std::string host = server_.Name("a/b").domain;
  auto best = builder.keyring.Best(host, Cancel::Never());
  EXPECT_EQ((*best)->username, "pusher");
  EXPECT_EQ((*builder.keyring.Best("elsewhere.test", Cancel::Never()))->username, "reader");
  EXPECT_EQ(builder.said().size(), 1U);
}

TEST_P(KeyringOf, PullingBeginsWithTheFirst) {
  Builder builder({kReader, kPusher});
  ASSERT_TRUE(builder.Push(server_.Name("a/b")));
  server_.Clear();
  ASSERT_TRUE(builder.Pull(server_.Name("a/b")));
  EXPECT_EQ(server_.seen().back(), "GET reader");
}

TEST_P(KeyringOf, NextCredentialPullsWhenTheFirstMayNot) {
  Builder builder({kStranger, kReader});
  auto pulled = builder.Pull(server_.Name("a/b"));
  ASSERT_TRUE(pulled) << pulled.error().message();
  EXPECT_EQ(server_.seen().back(), "GET reader");
  ASSERT_EQ(builder.said().size(), 1U);
  EXPECT_NE(builder.said()[0].find(" may not pull from a/b; using"), std::string::npos);
}

TEST_P(KeyringOf, EachIsTriedOnceAndTheErrorNamesThemAll) {
  Builder builder({kReader, kOther});
  auto pushed = builder.Push(server_.Name("a/b"));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code(), ErrorCode::kDenied);
  EXPECT_NE(pushed.error().message().find(
                "refused the credentials of DOCKER_AUTH_CONFIG and of CI_REGISTRY_PASSWORD: "),
            std::string::npos)
      << pushed.error().message();
  EXPECT_EQ(pushed.error().message().find("pa55word"), std::string::npos);
  EXPECT_TRUE(builder.said().empty()) << "nothing worked, so nothing is used";
  auto seen = server_.seen();
  EXPECT_LE(std::count(seen.begin(), seen.end(), "PUT reader"), 1);
  EXPECT_LE(std::count(seen.begin(), seen.end(), "PUT stranger2"), 1);
  // A token server that knows no POST is asked by GET too.
  EXPECT_LE(std::count(seen.begin(), seen.end(), "token reader"), 2);
  EXPECT_LE(std::count(seen.begin(), seen.end(), "token stranger2"), 2);
}

TEST_P(KeyringOf, FirstIsEnoughWhenItMay) {
  Builder builder({kPusher, kReader});
  ASSERT_TRUE(builder.Push(server_.Name("a/b")));
  EXPECT_EQ(builder.several.furthest(), 0);
  EXPECT_TRUE(builder.said().empty());
}

TEST_P(KeyringOf, CandidateThatIsNoPasswordDoesNotHideTheNext) {
  Credential token;
  token.registry_token = Secret("opaque.nobody");
  token.source = "DOCKER_AUTH_CONFIG";
  Builder builder({token, kPusher});
  auto pushed = builder.Push(server_.Name("a/b"));
  ASSERT_TRUE(pushed) << pushed.error().message();
  EXPECT_EQ(builder.said().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Registries,
    KeyringOf,
    testing::Values(Kind::kBasic, Kind::kJwt, Kind::kOpaque, Kind::kStrictToken));

TEST(Keyring, FirstTokenServesWhenNoneIsSaidToPush) {
  // The token server is asked for a repository that its tokens do not name.
  RightsServer server(Kind::kJwt);
  Builder builder({kPusher, kReader});
  auto pushed = builder.Push(server.Name("c/d"));
  ASSERT_TRUE(pushed) << "the registry decides: " << pushed.error().message();
  EXPECT_EQ(server.seen().back(), "PUT pusher");
  EXPECT_TRUE(builder.said().empty());
}

TEST(Keyring, NeedIsThePushAmongTheScopes) {
  Need need =
      NeedOf("r.test", {"repository:base:pull", "repository:a/b:pull,push", "repository:c:push"});
  EXPECT_EQ(need.repository, "a/b");
  EXPECT_TRUE(need.push);
  need = NeedOf("r.test", {"aws", "repository:base:pull", "repository:other:pull"});
  EXPECT_EQ(need.repository, "base");
  EXPECT_FALSE(need.push);
  EXPECT_EQ(NeedOf("r.test", {}).repository, "");
}

TEST(Keyring, GoodCredentialThatIsGoneGivesWayToTheFirst) {
  Several several({kReader});
  Keyring keyring(several, {});
  Need need{"docker.io", "library/x", true};
  {
    Several more({kReader, kPusher});
    Keyring known(more, {});
    Attempt attempt;
    ASSERT_TRUE(known.Next(need, attempt, Cancel::Never()));
    ASSERT_TRUE(known.Next(need, attempt, Cancel::Never()));
    keyring.Accepted(need, attempt, true);
  }
  EXPECT_EQ((*keyring.Best("registry-1.docker.io", Cancel::Never()))->username, "reader")
      << "the Hub has several names";
}

/// Gives each repository its own.
class ByRepository final : public CredentialSource {
 public:
  Result<std::optional<Credential>> Lookup(const std::string&,
                                           const std::string& repository,
                                           int nth,
                                           const Cancel&) override {
    std::vector<Credential> all = {User("host", "config.json")};
    if (!repository.empty()) all.insert(all.begin(), User(Cat("of ", repository), "config.json"));
    auto place = static_cast<std::size_t>(nth);
    return place < all.size() ? std::optional<Credential>(all[place]) : std::nullopt;
  }
};

TEST(Keyring, WhoTakesOneForAHostGetsThatOfTheRepositoryToPush) {
  ByRepository source;
  Keyring keyring(source, {});
  auto best = [&] { return (*keyring.Best("r.test", Cancel::Never()))->username; };
  EXPECT_EQ(best(), "host");
  keyring.WillPush("R.test", "org1/app");
  keyring.WillPush("r.test", "org2/app");
  EXPECT_EQ(best(), "of org1/app");
  Need need{"r.test", "org2/app", true};
  Attempt attempt;
  ASSERT_TRUE(keyring.Next(need, attempt, Cancel::Never()));
  ASSERT_TRUE(keyring.Next(need, attempt, Cancel::Never()));
  keyring.Accepted(need, attempt, true);
  EXPECT_EQ(best(), "host") << "the second of org2/app was let in";
}

class TokenLife : public testing::Test {
 protected:
  /// The token of one that lives `life` seconds and was issued `age` seconds ago, asked for twice.
  int FetchesOf(std::int64_t life, std::int64_t age) {
    TokenCache cache;
    int fetches = 0;
    auto fetch = [&]() -> Result<Token> {
      ++fetches;
      return Token{Secret("t"), life, std::time(nullptr) - age};
    };
    for (int i = 0; i < 2; ++i)
      last_ = *cache.Get("key", fetch, Cancel::Never());
    return fetches;
  }
  Token last_;
};

TEST_F(TokenLife, IsNotWaitedOut) {
  EXPECT_EQ(FetchesOf(300, 0), 1);
  EXPECT_EQ(FetchesOf(12, 0), 1);
  EXPECT_EQ(FetchesOf(9, 0), 2) << "it would expire in the builder's hands";
  EXPECT_EQ(FetchesOf(3600, 3000), 2) << "a quarter of its life is the margin";
  EXPECT_EQ(FetchesOf(3600, 2000), 1);
}

TEST_F(TokenLife, IsToldFromNowOn) {
  FetchesOf(3600, 2000);
  EXPECT_LE(last_.expires_in, 1600);
  EXPECT_GE(last_.expires_in, 1500);
  EXPECT_LE(std::time(nullptr) - last_.issued_at, 60);
  FetchesOf(300, 4000);
  EXPECT_GE(last_.expires_in, 200) << "the token server's clock is wrong";
}

}  // namespace
}  // namespace depot::registry::keyring_test
