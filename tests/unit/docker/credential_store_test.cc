#include "driver/docker/credential_store.h"

#include <csignal>
#include <cstdlib>
#include <mutex>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"

namespace depot::docker::credential_store_test {
namespace {

using registry::Credential;
using test::TempDir;

constexpr std::string_view kSecret = "hunter2-s3cr3t";
constexpr const char* kHub = "https://index.docker.io/v1/";

AuthEntry Entry(std::string user, std::string password) {
  AuthEntry entry;
  entry.username = std::move(user);
  entry.password = Secret(std::move(password));
  return entry;
}

class CredentialStore : public testing::Test {
 protected:
  CredentialStore() : path_(::getenv("PATH")) {
    ::signal(SIGPIPE, SIG_IGN);
    config_.path = "/home/me/.docker/config.json";
    ::setenv("PATH", search_path_.c_str(), 1);
  }
  ~CredentialStore() override { ::setenv("PATH", path_.c_str(), 1); }

  /// A helper that writes what it was asked into a file and then runs `script`.
  void AddHelper(const std::string& suffix, const std::string& script) {
    std::string path = bin_.Write(
        "docker-credential-" + suffix,
        Cat("#!/bin/sh\nkey=$(cat)\necho \"$1 $key\" >> ", bin_.path("asked"), "\n", script, "\n"));
    ::chmod(path.c_str(), 0755);
  }

  registry::CredentialSource& Store(AuthOrder order = AuthOrder::kEnvironmentFirst) {
    store_ = MakeCredentialStore({config_, environment_, order, gitlab_, hosted_}, search_path_,
                                 [this](std::string line) {
                                   std::lock_guard lock(mutex_);
                                   said_.push_back(std::move(line));
                                 });
    return *store_;
  }

  static std::string Show(const Result<std::optional<Credential>>& answer) {
    if (!answer) return "error: " + answer.error().message();
    if (!*answer) return "none";
    const Credential& found = **answer;
    return Cat(found.username, "|", found.password.Reveal(), "|", found.identity_token.Reveal(),
               "|", found.registry_token.Reveal(), "|", found.source);
  }

  std::string Find(const std::string& host, AuthOrder order = AuthOrder::kEnvironmentFirst) {
    return Show(Store(order).Lookup(host, "", 0, Cancel::Never()));
  }

  /// All candidates, "user of config.json; ".
  std::string FindAll(const std::string& host,
                      AuthOrder order = AuthOrder::kEnvironmentFirst,
                      const std::string& repository = "") {
    registry::CredentialSource& store = Store(order);
    std::string sources;
    for (int nth = 0;; ++nth) {
      Result<std::optional<Credential>> one = store.Lookup(host, repository, nth, Cancel::Never());
      if (!one || !*one) return Cat(sources, one ? "" : one.error().message());
      sources += Cat((*one)->username, " of ", (*one)->source, "; ");
    }
  }

  std::string path_;
  TempDir bin_;
  std::string search_path_ = Cat(bin_.path(), ":/usr/bin:/bin");
  ConfigFile config_;
  std::map<std::string, AuthEntry> environment_;
  HostCredentials gitlab_;
  HostCredentials hosted_;
  std::mutex mutex_;
  std::vector<std::string> said_;
  std::unique_ptr<registry::CredentialSource> store_;
};

TEST_F(CredentialStore, NothingConfiguredIsAnonymous) {
  EXPECT_EQ(Find("r.test"), "none");
  EXPECT_TRUE(said_.empty());
}

TEST_F(CredentialStore, HubIsFoundUnderAllItsNames) {
  for (const char* key : {kHub, "docker.io", "index.docker.io", "https://registry-1.docker.io"}) {
    config_.auths = {{key, Entry("u", "p")}, {"other.test", Entry("x", "y")}};
    for (const char* host : {"docker.io", "index.docker.io", "registry-1.docker.io"}) {
      EXPECT_EQ(Find(host), "u|p|||config.json") << key << ' ' << host;
    }
  }
}

TEST_F(CredentialStore, ExactKeyBeatsTheHostForm) {
  config_.auths = {{"https://r.test:5000/v2/", Entry("url", "1")},
                   {"r.test:5000", Entry("exact", "2")},
                   {"http://plain.test/x", Entry("plain", "3")},
                   {"empty.test", AuthEntry()},
                   {"https://empty.test/v1/", Entry("full", "4")}};
  EXPECT_EQ(Find("r.test:5000"), "exact|2|||config.json");
  EXPECT_EQ(Find("plain.test"), "plain|3|||config.json \"http://plain.test/x\"");
  EXPECT_EQ(Find("empty.test"), "full|4|||config.json");
  EXPECT_EQ(Find("r.test"), "none") << "the port belongs to the host";
  EXPECT_EQ(Find("sub.r.test:5000"), "none");
  EXPECT_EQ(Find("est:5000"), "none");
}

TEST_F(CredentialStore, TokensOfTheFileAreTakenAsSuch) {
  AuthEntry identity = Entry("u", "p");
  identity.identity_token = Secret("it");
  AuthEntry ready = identity;
  ready.registry_token = Secret("rt");
  config_.auths = {{"i.test", identity}, {"r.test", ready}};
  EXPECT_EQ(Find("i.test"), "||it||config.json");
  EXPECT_EQ(Find("r.test"), "|||rt|config.json");
}

TEST_F(CredentialStore, OrderDecidesWhichPlaceWins) {
  environment_ = {{"r.test", Entry("env", "1")}, {"only-env.test", Entry("env", "2")}};
  config_.auths = {{"https://r.test", Entry("cfg", "3")}, {"only-cfg.test", Entry("cfg", "4")}};
  for (AuthOrder order : {AuthOrder::kEnvironmentFirst, AuthOrder::kConfigFirst}) {
    EXPECT_EQ(Find("r.test", order), order == AuthOrder::kEnvironmentFirst
                                         ? "env|1|||DOCKER_AUTH_CONFIG"
                                         : "cfg|3|||config.json");
    EXPECT_EQ(Find("only-env.test", order), "env|2|||DOCKER_AUTH_CONFIG");
    EXPECT_EQ(Find("only-cfg.test", order), "cfg|4|||config.json");
  }
}

TEST_F(CredentialStore, EnvironmentKeysMatchByHostToo) {
  environment_ = {{"https://registry.gitlab.com", Entry("a", "b")}};
  EXPECT_EQ(Find("registry.gitlab.com"), "a|b|||DOCKER_AUTH_CONFIG");
}

TEST_F(CredentialStore, HelpersAreChosenByExactKeyAndGetTheKey) {
  AddHelper("one", R"(echo '{"ServerURL":"x","Username":"u1","Secret":"s1"}')");
  AddHelper("all", R"(echo '{"ServerURL":"x","Username":"<token>","Secret":"s2"}')");
  config_.cred_helpers = {{"one.test", "one"}};
  config_.creds_store = "all";
  config_.auths = {{"one.test", Entry("ignored", "x")}};
  EXPECT_EQ(Find("one.test"), "u1|s1|||helper docker-credential-one");
  EXPECT_EQ(Find("registry-1.docker.io"), "||s2||helper docker-credential-all");
  EXPECT_EQ(bin_.Read("asked"), Cat("get one.test\nget ", kHub, "\n"));
}

TEST_F(CredentialStore, ReadyTokenInTheFileSurvivesAHelper) {
  config_.creds_store = "missing";
  config_.auths["r.test"].registry_token = Secret("rt");
  EXPECT_EQ(Find("r.test"), "|||rt|config.json");
}

TEST_F(CredentialStore, HelperWithoutAnEntryIsAnonymous) {
  AddHelper("x", "echo 'credentials not found in native keychain'; exit 1");
  AddHelper("y", R"(echo '{"ServerURL":"","Username":"","Secret":""}')");
  config_.cred_helpers = {{"x.test", "x"}, {"y.test", "y"}};
  EXPECT_EQ(Find("x.test"), "none");
  EXPECT_EQ(Find("y.test"), "none");
}

TEST_F(CredentialStore, MissingHelperNamesAllThatIsNeeded) {
  config_.creds_store = "nosuch";
  Result<std::optional<Credential>> answer = Store().Lookup("r.test", "", 0, Cancel::Never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(answer.error().message(),
            "the credential helper docker-credential-nosuch (credsStore of "
            "/home/me/.docker/config.json) asked for r.test: there is no such program in PATH");
  EXPECT_EQ(answer.error().hint(),
            "install docker-credential-nosuch, or take it out of config.json and run docker login");
}

TEST_F(CredentialStore, AFailingHelperIsNamedWithTheWayToTryIt) {
  AddHelper("x", "exit 7");
  config_.cred_helpers = {{"x.test", "x"}};
  Result<std::optional<Credential>> answer = Store().Lookup("x.test", "", 0, Cancel::Never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().hint(),
            "does it work by hand? It is given x.test on standard input: docker-credential-x get");
}

TEST_F(CredentialStore, FailingHelpersAreErrorsThatNeverShowASecret) {
  struct Case {
    std::string script;
    std::string says;
  };
  std::string json = Cat(R"({"Username":"u","Secret":")", kSecret, "\"}");
  for (const Case& one : std::vector<Case>{
           {"echo 'no credentials server URL'; exit 1", "failed: no credentials server URL"},
           {"echo first >&2; echo 'vault is sealed' >&2; exit 3", "failed: vault is sealed"},
           {"exit 7", "failed: exit code 7"},
           {"kill -9 $$", "failed: exit code 137"},
           {Cat("echo '", json, "'; exit 1"), "failed: exit code 1"},
           {Cat("echo Secret ", kSecret, " >&2; exit 1"), "failed: exit code 1"},
           {Cat("echo https://u:", kSecret, "@h/ is down; exit 1"),
            "failed: https://xxxxx:xxxxx@h/ is down"},
           {Cat("echo ", kSecret), "its answer is not a JSON object"},
           {Cat("echo '[\"", kSecret, "\"]'"), "its answer is not a JSON object"},
           {"true", "its answer is not a JSON object"},
       }) {
    AddHelper("bad", one.script);
    config_.creds_store = "bad";
    Result<std::optional<Credential>> answer = Store().Lookup("r.test", "", 0, Cancel::Never());
    ASSERT_FALSE(answer) << one.script;
    EXPECT_EQ(answer.error().code(), ErrorCode::kFailed);
    EXPECT_TRUE(answer.error().message().ends_with(one.says)) << answer.error().message();
    EXPECT_NE(answer.error().message().find("docker-credential-bad"), std::string::npos);
    EXPECT_EQ(answer.error().message().find(kSecret), std::string::npos);
  }
}

TEST_F(CredentialStore, HelperNameWithASlashIsRefused) {
  config_.creds_store = "../../tmp/evil";
  EXPECT_NE(Find("r.test").find("no slash"), std::string::npos);
}

TEST_F(CredentialStore, HangingHelperIsLeftWhenCancelled) {
  AddHelper("slow", "exec sleep 30");
  config_.creds_store = "slow";
  auto start = std::chrono::steady_clock::now();
  Result<std::optional<Credential>> answer = Store().Lookup(
      "r.test", "", 0, Cancel::Never().WithTimeout(std::chrono::milliseconds(300), "the test"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(800));
}

TEST_F(CredentialStore, BrokenHelperGivesWayToTheEnvironmentWithALine) {
  config_.creds_store = "nosuch";
  environment_ = {{"r.test", Entry("env", std::string(kSecret))}};
  EXPECT_EQ(Find("r.test", AuthOrder::kConfigFirst), Cat("env|", kSecret, "|||DOCKER_AUTH_CONFIG"));
  ASSERT_EQ(said_.size(), 2U);
  EXPECT_NE(said_[0].find("docker-credential-nosuch"), std::string::npos);
  EXPECT_TRUE(said_[0].ends_with("going on with DOCKER_AUTH_CONFIG"));
  EXPECT_EQ(said_[1], "credentials for r.test: DOCKER_AUTH_CONFIG (user env)");
}

TEST_F(CredentialStore, EachRegistryIsSaidOnceWithoutItsSecret) {
  AddHelper("h", Cat(R"(echo '{"Username":"<token>","Secret":")", kSecret, "\"}'"));
  config_.cred_helpers = {{"helped.test", "h"}};
  config_.auths = {{"r.test", Entry("gitlab-ci-token", std::string(kSecret))},
                   {"same.test", Entry(std::string(kSecret), std::string(kSecret))},
                   {"esc.test", Entry("a\x1b[31m", "p")},
                   {kHub, Entry("me", "p")}};
  registry::CredentialSource& store = Store();
  for (int i = 0; i < 2; ++i) {
    for (const char* host : {"r.test", "helped.test", "same.test", "esc.test", "docker.io",
                             "registry-1.docker.io", "unknown.test"}) {
      ASSERT_TRUE(store.Lookup(host, "", 0, Cancel::Never()));
    }
  }
  EXPECT_EQ(said_, (std::vector<std::string>{
                       "credentials for r.test: config.json (user gitlab-ci-token)",
                       "credentials for helped.test: helper docker-credential-h (identity token)",
                       "credentials for same.test: config.json (token as user)",
                       "credentials for esc.test: config.json (user a?[31m)",
                       "credentials for docker.io: config.json (user me)"}));
}

TEST_F(CredentialStore, AnswersAreKeptButErrorsAreNot) {
  AddHelper("h", R"(echo '{"Username":"u","Secret":"s"}')");
  AddHelper("bad", "exit 1");
  config_.cred_helpers = {{"good.test", "h"}, {"bad.test", "bad"}};
  registry::CredentialSource& store = Store();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(store.Lookup("good.test", "", 0, Cancel::Never()));
    EXPECT_FALSE(store.Lookup("bad.test", "", 0, Cancel::Never()));
  }
  EXPECT_EQ(bin_.Read("asked"), "get good.test\nget bad.test\nget bad.test\nget bad.test\n");
}

TEST_F(CredentialStore, HelpersRunOneAtATime) {
  AddHelper("h", Cat("if ! mkdir ", bin_.path("lock"),
                     " 2>/dev/null; then echo overlap; exit 1; fi\n", "sleep 0.05; rmdir ",
                     bin_.path("lock"), R"(; echo '{"Username":"u","Secret":"s"}')"));
  config_.creds_store = "h";
  registry::CredentialSource& store = Store();
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < 6; ++i) {
    group.Start("lookup", [&store, i](const Cancel& cancel) -> Result<> {
      TRY(store.Lookup(Cat("r", i, ".test"), "", 0, cancel));
      return {};
    });
  }
  Result<> all = group.Wait();
  EXPECT_TRUE(all) << all.error().message();
}

TEST_F(CredentialStore, PlatformHelperServesOnlyWhenNothingIsConfigured) {
  AddHelper("secretservice", R"(echo '{"Username":"u","Secret":"s"}')");
  EXPECT_EQ(Find("r.test"), "u|s|||helper docker-credential-secretservice");
  config_.auths = {{"other.test", Entry("u", "p")}};
  EXPECT_EQ(Find("r.test"), "none");
}

TEST_F(CredentialStore, EveryPlaceGivesOneCandidateInOrder) {
  environment_ = {{"r.test", Entry("env", "1")}};
  config_.auths = {{"https://r.test", Entry("cfg", "2")}, {"other.test", Entry("o", "p")}};
  gitlab_ = {{"r.test", {"job", Secret("3"), {}, {}, "CI_REGISTRY_PASSWORD"}}};
  EXPECT_EQ(FindAll("r.test"),
            "env of DOCKER_AUTH_CONFIG; cfg of config.json; job of CI_REGISTRY_PASSWORD; ");
  EXPECT_EQ(FindAll("r.test", AuthOrder::kConfigFirst),
            "cfg of config.json; env of DOCKER_AUTH_CONFIG; job of CI_REGISTRY_PASSWORD; ");
  EXPECT_EQ(FindAll("other.test"), "o of config.json; ");
  EXPECT_EQ(FindAll("job.test"), "");
}

TEST_F(CredentialStore, KeysOfOneHostAreTriedByPath) {
  config_.auths = {
      {"r.test/org1", Entry("one", "1")},           {"https://r.test/v2/org2/", Entry("two", "2")},
      {"r.test/org2/team", Entry("team", "3")},     {"https://r.test/v1/", Entry("host", "4")},
      {"r.test:443", Entry("port", "5")},           {"r.test/", Entry("slash", "6")},
      {"r.test:5000/org2", Entry("elsewhere", "7")}};
  auto order = [this](const std::string& repository) {
    std::string all = FindAll("r.test", AuthOrder::kEnvironmentFirst, repository);
    std::string users;
    for (std::string_view part : Split(all, ';')) {
      std::string_view one = Trim(part);
      users += Cat(one.substr(0, one.find(' ')), " ");
    }
    return std::string(Trim(users));
  };
  EXPECT_EQ(order("org2/team/app"), "team two host slash port one");
  EXPECT_EQ(order("org2/app"), "two host slash port team one");
  EXPECT_EQ(order("org2"), "two host slash port team one");
  EXPECT_EQ(order("org22/app"), "host slash port team two one");
  EXPECT_EQ(order(""), "host slash port team two one");
  EXPECT_EQ(FindAll("r.test:443", AuthOrder::kEnvironmentFirst, "org1/x").substr(0, 32),
            "one of config.json \"r.test/org1\"");
}

TEST_F(CredentialStore, KeyWithAPathIsNamed) {
  environment_ = {{"docker.io/team", Entry("team", std::string(kSecret))},
                  {kHub, Entry("me", "p")},
                  {"index.docker.io/v1/", Entry("other", "q")}};
  registry::CredentialSource& store = Store();
  for (int nth = 0; nth < 3; ++nth) {
    ASSERT_TRUE(store.Lookup("registry-1.docker.io", "team/app", nth, Cancel::Never()));
  }
  EXPECT_EQ(
      said_,
      (std::vector<std::string>{
          R"(credentials for docker.io: DOCKER_AUTH_CONFIG "docker.io/team" (user team))",
          "credentials for docker.io: DOCKER_AUTH_CONFIG (user me)",
          R"(credentials for docker.io: DOCKER_AUTH_CONFIG "index.docker.io/v1/" (user other))"}));
}

TEST_F(CredentialStore, HelpersAreAskedByPathToo) {
  AddHelper("all", R"(echo "{\"Username\":\"all $key\",\"Secret\":\"s\"}")");
  AddHelper("two", R"(echo "{\"Username\":\"two $key\",\"Secret\":\"s\"}")");
  config_.creds_store = "all";
  config_.cred_helpers = {{"r.test/org2", "two"}};
  config_.auths = {{"r.test/org1", AuthEntry()}, {"other.test/org1", AuthEntry()}};
  EXPECT_EQ(FindAll("r.test", AuthOrder::kEnvironmentFirst, "org1/app"),
            "all r.test/org1 of helper docker-credential-all \"r.test/org1\"; "
            "all r.test of helper docker-credential-all; "
            "two r.test/org2 of helper docker-credential-two \"r.test/org2\"; ");
  EXPECT_EQ(FindAll("r.test", AuthOrder::kEnvironmentFirst, "org2/app").substr(0, 15),
            "two r.test/org2");
}

TEST_F(CredentialStore, HelperIsAskedOnceForAKeyOfManyRepositories) {
  AddHelper("h", R"(echo '{"Username":"u","Secret":"s"}')");
  config_.creds_store = "h";
  registry::CredentialSource& store = Store();
  for (const char* repository : {"a", "b", "c/d"})
    ASSERT_TRUE(store.Lookup("r.test", repository, 0, Cancel::Never()));
  EXPECT_EQ(bin_.Read("asked"), "get r.test\n");
}

TEST_F(CredentialStore, MissingHelperIsLookedForOnce) {
  config_.creds_store = "nosuch";
  config_.auths = {{"r.test/a", AuthEntry()}, {"r.test/b", AuthEntry()}};
  environment_ = {{"r.test", Entry("env", "1")}};
  EXPECT_EQ(FindAll("r.test"), "env of DOCKER_AUTH_CONFIG; ");
  EXPECT_EQ(said_.size(), 2U);
}

TEST_F(CredentialStore, WhatTheApiGaveComesFirst) {
  hosted_ = {{"r.test", {"api", Secret("1"), {}, {}, "the Depot API"}},
             {"r.test", {"api2", Secret("2"), {}, {}, "the Depot API"}}};
  environment_ = {{"r.test", Entry("env", "3")}};
  EXPECT_EQ(FindAll("r.test"),
            "api of the Depot API; api2 of the Depot API; env of DOCKER_AUTH_CONFIG; ");
}

TEST_F(CredentialStore, EmptyPasswordIsNoCredential) {
  config_.auths = {{"r.test", Entry("u", "")}, {"https://r.test", Entry("v", "p")}};
  EXPECT_EQ(FindAll("r.test"), "v of config.json; ");
}

TEST_F(CredentialStore, WhatTwoPlacesKnowIsOneCandidate) {
  environment_ = {{"r.test", Entry("u", "p")}};
  config_.auths = {{"r.test", Entry("u", "p")}};
  gitlab_ = {{"r.test", {"u", Secret("p"), {}, {}, "CI_REGISTRY_PASSWORD"}},
             {"r.test", {"u", Secret("q"), {}, {}, "CI_DEPLOY_PASSWORD"}}};
  EXPECT_EQ(FindAll("r.test"), "u of DOCKER_AUTH_CONFIG; u of CI_DEPLOY_PASSWORD; ");
}

TEST_F(CredentialStore, HelperIsNotRunBeforeItsTurn) {
  AddHelper("h", R"(echo '{"Username":"u","Secret":"s"}')");
  config_.creds_store = "h";
  environment_ = {{"r.test", Entry("env", "1")}};
  registry::CredentialSource& store = Store();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(Show(store.Lookup("r.test", "", 0, Cancel::Never())), "env|1|||DOCKER_AUTH_CONFIG");
  EXPECT_EQ(bin_.Read("asked"), "");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Show(store.Lookup("r.test", "", 1, Cancel::Never())),
              "u|s|||helper docker-credential-h");
  }
  EXPECT_EQ(bin_.Read("asked"), "get r.test\n");
  EXPECT_EQ(said_, (std::vector<std::string>{
                       "credentials for r.test: DOCKER_AUTH_CONFIG (user env)",
                       "credentials for r.test: helper docker-credential-h (user u)"}));
}

TEST_F(CredentialStore, HelperThatFailsInItsTurnEndsTheListWithALine) {
  config_.creds_store = "nosuch";
  environment_ = {{"r.test", Entry("env", "1")}};
  EXPECT_EQ(FindAll("r.test"), "env of DOCKER_AUTH_CONFIG; ");
  ASSERT_EQ(said_.size(), 2U);
  EXPECT_NE(said_[1].find("docker-credential-nosuch"), std::string::npos);
}

TEST(GitlabCredentials, ServeTheRegistryAndTheDependencyProxyOfAJob) {
  Environment job = {{"GITLAB_CI", "true"},
                     {"CI_REGISTRY", "registry.gitlab.test:5050"},
                     {"CI_REGISTRY_USER", "gitlab-ci-token"},
                     {"CI_REGISTRY_PASSWORD", "job-token"},
                     {"CI_DEPLOY_USER", "deploy"},
                     {"CI_DEPLOY_PASSWORD", "deploy-token"},
                     {"CI_DEPENDENCY_PROXY_SERVER", "gitlab.test:443"},
                     {"CI_DEPENDENCY_PROXY_USER", "gitlab-ci-token"},
                     {"CI_DEPENDENCY_PROXY_PASSWORD", "job-token"}};
  auto show = [](const Environment& environment) {
    std::string text;
    for (const auto& [host, one] : GitlabCredentials(environment)) {
      text += Cat(host, '|', one.username, '|', one.password.Reveal(), '|', one.source, '\n');
    }
    return text;
  };
  EXPECT_EQ(show(job),
            "registry.gitlab.test:5050|gitlab-ci-token|job-token|CI_REGISTRY_PASSWORD\n"
            "registry.gitlab.test:5050|deploy|deploy-token|CI_DEPLOY_PASSWORD\n"
            "gitlab.test:443|gitlab-ci-token|job-token|CI_DEPENDENCY_PROXY_PASSWORD\n");
  job.erase("CI_REGISTRY_USER");
  job.erase("CI_DEPLOY_PASSWORD");
  job["CI_DEPENDENCY_PROXY_SERVER"] = "";
  EXPECT_EQ(show(job), "");
  job["CI_REGISTRY_USER"] = "u";
  EXPECT_NE(show(job), "");
  job.erase("GITLAB_CI");
  EXPECT_EQ(show(job), "") << "elsewhere these variables mean nothing";
}

TEST(AuthOrder, FollowsTheVariableThenGitlabThenDocker) {
  EXPECT_EQ(*ChooseAuthOrder("", false), AuthOrder::kEnvironmentFirst);
  EXPECT_EQ(*ChooseAuthOrder("", true), AuthOrder::kConfigFirst);
  EXPECT_EQ(*ChooseAuthOrder("env,config", true), AuthOrder::kEnvironmentFirst);
  EXPECT_EQ(*ChooseAuthOrder("config,env", false), AuthOrder::kConfigFirst);
  for (const char* wrong : {"env", "config", "env,config,env", "env;config", "x"}) {
    Result<AuthOrder> order = ChooseAuthOrder(wrong, false);
    ASSERT_FALSE(order) << wrong;
    EXPECT_EQ(order.error().code(), ErrorCode::kInvalid);
    EXPECT_NE(order.error().message().find("DOCKER_AUTH_ORDER"), std::string::npos);
  }
}

}  // namespace
}  // namespace depot::docker::credential_store_test
