#include "pool/settings/settings.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "pool/settings/timestamp.h"
#include "tests/unit/http/certificates.h"

namespace depot::settings::settings_test {
namespace {

using test::TempDir;

constexpr std::string_view kCa = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
constexpr std::string_view kTop = "url: https://pool.test:1\nstate: state\n";
const std::string kHash(64, 'a');

/// Reads kTop and `rest` from a folder that has ca.pem, both.pem (with a key) and password.
Result<Settings> Read(std::string_view rest, std::string_view top = kTop) {
  TempDir dir;
  dir.Write("ca.pem", kCa);
  dir.Write("both.pem", Cat(kCa, "-----BEGIN PRIVATE KEY-----\nAAAA\n"));
  dir.Write("password", "hunter2\n");
  return ReadSettings(dir.Write("pool.yaml", Cat(top, rest)));
}

/// The message of what must not be readable.
std::string WhyNot(std::string_view rest, std::string_view top = kTop) {
  const Result<Settings> settings = Read(rest, top);
  if (settings) return "it was read";
  EXPECT_EQ(settings.error().code(), ErrorCode::kInvalid);
  return settings.error().message();
}

#define EXPECT_SAYS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << (text) << "\n  lacks: " << (part)

TEST(Settings, ProxiesAreAddresses) {
  EXPECT_SAYS(WhyNot("proxies: [proxy.example]\n"), "list of IP addresses");
  EXPECT_EQ(Read("proxies: [10.0.0.5, \"fd00::1\"]\n")->proxies.size(), 2U);
}

TEST(Settings, BuildersAreFoundByAnAddressOrAServiceRecord) {
  const Result<Settings> settings = Read(
      "builders:\n"
      "  - {name: a, platform: linux/amd64, discover: \"b.test:8372\", server_name: s,"
      " ca: ca.pem}\n"
      "  - {name: b, platform: linux/arm64, srv: _x._tcp.test, server_name: s, ca: ca.pem}\n");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->builders[0].discover, "b.test");
  EXPECT_EQ(settings->builders[0].discover_port, 8372);
  EXPECT_EQ(settings->builders[1].discover, "_x._tcp.test");
  EXPECT_EQ(settings->builders[1].discover_port, 0);
  EXPECT_EQ(settings->builders[1].endpoint, "");
}

TEST(Settings, AWeightIsFromOneToAHundred) {
  for (const char* weight : {"0", "-1", "101", "1.5", "much"})
    EXPECT_SAYS(WhyNot(Cat("projects: [{id: a, weight: ", weight, "}]\n")), "weight");
  EXPECT_EQ(Read("projects: [{id: a, weight: 100}]\n")->projects[0].weight, 100);
  for (const char* limit : {"0", "-1", "1.5", "many"})
    EXPECT_SAYS(WhyNot(Cat("projects: [{id: a, limit: ", limit, "}]\n")), "limit");
  EXPECT_SAYS(WhyNot("home_wait_seconds: 601\n"), "home_wait_seconds");
  EXPECT_SAYS(WhyNot("home_passes: -1\n"), "home_passes");
}

TEST(Settings, TheExampleIsReadInFull) {
  const auto example = std::filesystem::path(__FILE__).parent_path() / "../../../install/pool";
  const Result<std::string> text =
      disk::ReadWholeFile((example / "pool.yaml").string(), std::size_t{1} << 20, Cancel::Never());
  ASSERT_TRUE(text) << text.error().message();
  TempDir dir;
  dir.Write("builders-ca.pem", kCa);
  dir.Write("save-password", "hunter2\n");
  const Result<Settings> settings = ReadSettings(dir.Write("pool.yaml", *text));
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->listen, "0.0.0.0:8443");
  EXPECT_EQ(settings->tls_key.path, dir.path("server-key.pem"));
  EXPECT_EQ(settings->state, "/var/lib/depot-pool");
  EXPECT_EQ(settings->build_hours, 6);
  EXPECT_EQ(settings->certificate_minutes, 10);
  ASSERT_EQ(settings->projects.size(), 2U);
  EXPECT_EQ(settings->projects[0].name, "Web shop");
  EXPECT_EQ(settings->projects[0].save->repository, "registry.example/saved/shop");
  EXPECT_EQ(settings->projects[0].save->password.Reveal(), "hunter2");
  EXPECT_EQ(settings->projects[0].weight, 3);
  EXPECT_EQ(settings->projects[0].limit, 8);
  EXPECT_EQ(settings->projects[1].limit, 0);
  EXPECT_EQ(settings->home_wait_seconds, 30);
  EXPECT_EQ(settings->home_passes, 16);
  EXPECT_EQ(settings->projects[1].name, "tools");
  EXPECT_EQ(settings->projects[1].weight, 1);
  EXPECT_EQ(settings->FindUser("ann")->projects, (std::vector<std::string>{"shop", "tools"}));
  ASSERT_EQ(settings->builders.size(), 2U);
  EXPECT_EQ(settings->builders[0].server_name, "builder");
  EXPECT_EQ(settings->builders[0].slots, 4);
  EXPECT_EQ(settings->builders[0].ca_pem, kCa);
  EXPECT_EQ(settings->builders[1].server_name, "10.0.0.12");
  EXPECT_EQ(settings->builders[1].platform.architecture, "arm64");
  EXPECT_EQ(settings->builders[1].projects, std::vector<std::string>{"shop"});
  ASSERT_EQ(settings->oidc.size(), 1U);
  EXPECT_EQ(settings->oidc[0].rules[0].claims.at("ref_protected"), "true");
  ASSERT_EQ(settings->tokens.size(), 1U);
  EXPECT_TRUE(settings->tokens[0].revoked);
  EXPECT_EQ(FormatTime(settings->tokens[0].expires_at), "2026-12-31T18:00:00Z");
}

TEST(Settings, AFileThatIsNotThereIsNamedWithTheLineThatNamesIt) {
  const Result<Settings> settings = Read("tls:\n  certificate: none.pem\n  key: none-key.pem\n");
  ASSERT_TRUE(settings) << "commands run where it is not: " << settings.error().message();
  const Result<std::string> certificate = ReadNamedFile(settings->tls_certificate);
  ASSERT_FALSE(certificate);
  EXPECT_SAYS(certificate.error().message(),
              "pool.yaml: line 4: tls: certificate names a file that cannot be read: open ");
  EXPECT_SAYS(certificate.error().message(), "/none.pem: no such file or directory");
  EXPECT_SAYS(certificate.error().hint(), "put it there, or correct the path");
  EXPECT_SAYS(ReadNamedFile(settings->tls_key).error().message(), "line 5: tls: key names");

  const Result<Settings> none = Read("store: postgresql://db/x\nstore_password_file: none\n");
  ASSERT_FALSE(none);
  EXPECT_SAYS(none.error().message(), "line 4: settings: store_password_file names a file");
  EXPECT_SAYS(none.error().hint(), "put it there, or correct the path");

  const Result<Settings> nothing = ReadSettings("/nonexistent/pool.yaml");
  ASSERT_FALSE(nothing);
  EXPECT_SAYS(nothing.error().message(), "/nonexistent/pool.yaml: no such file or directory");
  EXPECT_SAYS(nothing.error().hint(), "--config FILE");
}

TEST(Settings, LittleIsNeeded) {
  const Result<Settings> settings = Read("");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_TRUE(settings->tls_certificate.empty());
  EXPECT_TRUE(settings->state.ends_with("/state"));
  EXPECT_TRUE(settings->tokens.empty());
}

TEST(Settings, ErrorsNameFileLineAndTheNearestKey) {
  const std::string why = WhyNot("projects:\n  - id: a\n    nam: b\n");
  EXPECT_SAYS(why, "pool.yaml: line 5: projects: unknown key nam, did you mean name?");
  EXPECT_SAYS(WhyNot("buildrs: []\n"),
              "line 3: settings: unknown key buildrs, did you mean builders?");
  EXPECT_SAYS(WhyNot("a: [\n"), "pool.yaml: line ");
}

TEST(Settings, TheTopMustBeThereAndSound) {
  EXPECT_SAYS(WhyNot("", ""), "must be a map");
  EXPECT_SAYS(WhyNot("", "state: s\n"), "url is missing");
  EXPECT_SAYS(WhyNot("", "url: https://x\n"), "state is missing");
  EXPECT_SAYS(WhyNot("", "url: pool.test\nstate: s\n"), "https://");
  EXPECT_SAYS(WhyNot("listen: 8443\n"), "ADDRESS:PORT");
  EXPECT_SAYS(WhyNot("listen: 0.0.0.0:99999\n"), "ADDRESS:PORT");
  EXPECT_SAYS(WhyNot("build_hours: 25\n"), "from 1 to 24");
  EXPECT_SAYS(WhyNot("build_hours: [1]\n"), "must be a text");
  EXPECT_SAYS(WhyNot("certificate_minutes: 61\n"), "from 1 to 60");
  EXPECT_SAYS(WhyNot("tls: {certificate: x}\n"), "needs both");
  EXPECT_SAYS(WhyNot("projects: x\n"), "must be a list");
}

TEST(Settings, NamesAreUniqueAndPlain) {
  EXPECT_SAYS(WhyNot("projects: [{id: a}, {id: a}]\n"), "a stands twice");
  EXPECT_SAYS(WhyNot("projects: [{id: \"a\\nb\"}]\n"), "letters, digits");
  EXPECT_SAYS(WhyNot("projects: [{id: " + std::string(65, 'a') + "}]\n"), "at most 64");
  EXPECT_SAYS(WhyNot("users: [{name: a}, {name: a}]\n"), "stands twice");
}

TEST(Settings, ReferencesMustHold) {
  const std::string projects = "projects: [{id: shop}]\n";
  EXPECT_SAYS(WhyNot(projects + "users: [{name: a, projects: [shopp]}]\n"), "did you mean shop?");
  EXPECT_SAYS(WhyNot(projects + "oidc: [{issuer: https://i, audience: a, allow: [{project: x, "
                                "claims: {sub: x}}]}]\n"),
              "names the project x");
}

TEST(Settings, ATokenMayOutliveItsUser) {
  const Result<Settings> settings =
      Read(Cat("tokens: [{id: t, sha256: ", kHash, ", user: gone}]\n"));
  ASSERT_TRUE(settings) << settings.error().message();
}

std::string Builder(std::string_view fields) {
  return WhyNot(Cat("builders:\n  - {name: b, ", fields, "}\n"));
}

TEST(Settings, BuildersAreChecked) {
  constexpr std::string_view kGood = "platform: linux/amd64, endpoint: \"tcp://h:1\", ca: ca.pem";
  EXPECT_EQ(Builder(kGood), "it was read");
  EXPECT_SAYS(Builder(Cat(kGood, ", slots: 0")), "from 1 to 1000");
  EXPECT_SAYS(Builder(Cat(kGood, ", projects: [x]")), "names the project x");
  EXPECT_SAYS(Builder("platform: linux/s390x, endpoint: \"tcp://h:1\", ca: ca.pem"), "linux/arm64");
  EXPECT_SAYS(Builder("platform: linux/amd64, endpoint: \"unix:///x\", ca: ca.pem"), "tcp://");
  for (const char* wrong :
       {"discover: \"b.test:1\", srv: s.test", "discover: \"b.test:1\", endpoint: \"tcp://h:1\"",
        "discover: b.test", "discover: \"[::1]:1\"", "srv: \"b.test:1\"", "srv: \"a b\""}) {
    const std::string shown =
        Builder(Cat("platform: linux/amd64, ca: ca.pem, server_name: b, ", wrong));
    EXPECT_TRUE(shown.find("discover") != shown.npos || shown.find("srv") != shown.npos) << shown;
  }
  EXPECT_SAYS(Builder("platform: linux/amd64, discover: \"b.test:1\", ca: ca.pem"), "server_name");
  EXPECT_SAYS(Builder("platform: linux/amd64, endpoint: \"tcp://h\", ca: ca.pem"),
              "tcp://HOST:PORT");
  EXPECT_SAYS(Builder("platform: linux/amd64, endpoint: \"tcp://h:1\""), "ca is missing");
  EXPECT_SAYS(Builder("platform: linux/amd64, endpoint: \"tcp://h:1\", ca: none.pem"), "none.pem");
  EXPECT_SAYS(Builder("platform: linux/amd64, endpoint: \"tcp://h:1\", ca: password"), "no PEM");
  EXPECT_SAYS(Builder("platform: linux/amd64, endpoint: \"tcp://h:1\", ca: both.pem"),
              "private key");
}

TEST(Settings, ACaMayBeTheTextItself) {
  const Result<Settings> settings = Read(
      "builders:\n  - name: b\n    platform: linux/amd64\n    endpoint: tcp://[::1]:5\n    ca: |\n"
      "      -----BEGIN CERTIFICATE-----\n      AAAA\n      -----END CERTIFICATE-----\n");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->builders[0].ca_pem, kCa);
  EXPECT_EQ(settings->builders[0].server_name, "::1");
}

TEST(Settings, SavesAreChecked) {
  auto save = [](std::string_view fields) {
    return WhyNot(Cat("projects:\n  - id: p\n    save: {", fields, "}\n"));
  };
  EXPECT_EQ(save("repository: r.test/x, username: u, password_file: password"), "it was read");
  EXPECT_SAYS(save("repository: \"r.test/x:tag\""), "without a tag");
  EXPECT_SAYS(save("repository: x"), "HOST[:PORT]/PATH");
  EXPECT_SAYS(save("repository: r.test/x, username: u"), "belong together");
  const std::string missing = save("repository: r.test/x, username: u, password_file: none");
  EXPECT_SAYS(missing, "none");
}

std::string Oidc(std::string_view fields) {
  return WhyNot(Cat("projects: [{id: p}]\noidc:\n  - {audience: a, ", fields, "}\n"));
}

TEST(Settings, IssuersAreChecked) {
  EXPECT_EQ(Oidc("issuer: \"https://i.test\""), "it was read");
  EXPECT_EQ(Oidc("issuer: i, jwks: keys.json"), "it was read");
  EXPECT_SAYS(Oidc("issuer: \"http://i.test\""), "https://");
  EXPECT_SAYS(Oidc("issuer: i"), "https://");
  EXPECT_SAYS(Oidc("issuer: i, jwks: \"http://i.test/keys\""), "https://");
  for (const char* weak : {"none", "HS256"}) {
    EXPECT_SAYS(Oidc(Cat("issuer: i, jwks: k, algorithms: [", weak, "]")), "not accepted");
  }
  EXPECT_SAYS(Oidc("issuer: i, jwks: k, algorithms: [ES265]"), "did you mean ES256?");
  EXPECT_SAYS(Oidc("issuer: i, jwks: k, allow: [{project: p}]"), "at least one claim");
  EXPECT_SAYS(Oidc("issuer: i, jwks: k, allow: [{project: p, claims: {}}]"), "at least one claim");
  EXPECT_SAYS(Oidc("issuer: i, jwks: k, allow: [{project: p, claims: {sub: \"a*b\"}}]"),
              "at the end alone");
}

std::string Token(std::string_view fields) {
  return WhyNot(Cat("projects: [{id: p}]\ntokens:\n  - {id: t, ", fields, "}\n"));
}

TEST(Settings, TokensAreChecked) {
  EXPECT_EQ(Token(Cat("project: p, sha256: ", kHash)), "it was read");
  EXPECT_SAYS(Token("project: p, sha256: abc"), "64 hex digits");
  EXPECT_SAYS(Token(Cat("sha256: ", kHash)), "`project` or `user`");
  EXPECT_SAYS(Token(Cat("project: p, user: u, sha256: ", kHash)), "`project` or `user`");
  EXPECT_SAYS(Token(Cat("project: p, expires: soon, sha256: ", kHash)), "must be a time");
  EXPECT_SAYS(Token(Cat("project: p, revoked: yes, sha256: ", kHash)), "true or false");
  EXPECT_SAYS(
      Token(Cat("project: p, sha256: ", kHash, "}\n  - {id: u, project: p, sha256: ", kHash)),
      "stands twice");
}

TEST(Settings, ADatabaseIsNamedWithoutItsPassword) {
  const std::string url = "postgresql://pool@db/depot?sslmode=verify-full";
  const auto settings = Read(Cat("store: \"", url, "\"\nstore_password_file: password\n"));
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->store, url);
  EXPECT_EQ(settings->store_password.Reveal(), "hunter2");
  for (const char* wrong :
       {"postgresql://pool:hunter2@db/depot", "postgres://db/x?password=hunter2",
        "postgres://u:hunter2@a,b/x?host=@"}) {
    const std::string why = WhyNot(Cat("store: \"", wrong, "\"\n"));
    EXPECT_SAYS(why, "pool.yaml: line 3: settings: store has a password in it");
    EXPECT_EQ(why.find("hunter2"), std::string::npos) << why;
  }
  EXPECT_SAYS(WhyNot("store: builds.sqlite\n"), "must be a URL");
  EXPECT_SAYS(WhyNot("store_password_file: password\n"), "needs `store`");
  EXPECT_SAYS(WhyNot(Cat("store: \"", url, "\"\nstore_password_file: none\n")),
              "line 4: settings: store_password_file names a file that cannot be read: ");
}

TEST(Settings, SharedTokensHoldBeforeThoseOfTheFile) {
  TokenRecord file{"a", "1", "p", "", 1, 0, false};
  TokenRecord revoked = file;
  revoked.revoked = true;
  TokenRecord other{"b", "2", "p", "", 1, 0, false};
  EXPECT_EQ(JoinTokens({file}, {other}), (std::vector<TokenRecord>{file, other}));
  EXPECT_EQ(JoinTokens({file}, {other, revoked}), (std::vector<TokenRecord>{other, revoked}));
}

TEST(Settings, NoMessageHoldsAPassword) {
  const std::string why = WhyNot(
      "projects:\n  - {id: p, save: {repository: x, username: u, password_file: password}}\n");
  EXPECT_EQ(why.find("hunter2"), std::string::npos) << why;
}

TEST(Timestamp, ReadsTimesAndDates) {
  EXPECT_EQ(ParseTime("1970-01-02"), 86400);
  EXPECT_EQ(ParseTime("1970-01-01T00:00:01Z"), 1);
  EXPECT_EQ(ParseTime("2026-01-31T10:00:00.25+02:00"), ParseTime("2026-01-31T08:00:00Z"));
  EXPECT_EQ(ParseTime("2026-01-31T08:00:00-00:30"), ParseTime("2026-01-31T08:30:00Z"));
  for (const char* wrong :
       {"", "2026", "2026-02-30", "2026-13-01", "2026-01-31T", "2026-01-31T24:00:00Z",
        "2026-01-31T10:00:00", "2026-01-31T10:00:00Zx", "2026-01-31 10:00:00Z", "2026-1-31"}) {
    EXPECT_EQ(ParseTime(wrong), std::nullopt) << wrong;
  }
}

TEST(Timestamp, WritesWhatItReads) {
  for (const char* text :
       {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-11-03T04:05:06Z"}) {
    EXPECT_EQ(FormatTime(*ParseTime(text)), text);
  }
}

TEST(ParseDuration, IsDaysHoursOrMinutes) {
  EXPECT_EQ(*ParseDuration("30d"), 30 * 86400);
  EXPECT_EQ(*ParseDuration("12h"), 12 * 3600);
  EXPECT_EQ(*ParseDuration("45m"), 45 * 60);
  EXPECT_TRUE(ParseDuration("3650d"));
  for (const char* wrong : {"", "d", "30", "0d", "-1d", "1.5h", "3651d", "99999999999999999999m"}) {
    const auto duration = ParseDuration(wrong);
    ASSERT_FALSE(duration) << wrong;
    EXPECT_EQ(duration.error().code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace depot::settings::settings_test
