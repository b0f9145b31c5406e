#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "pool/identity/identity.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/identity/test_issuer.h"

namespace depot::identity::gate_test {
namespace {

using test::Base64Url;
using test::KeySet;
using test::TempDir;
using test::TestKey;

constexpr std::int64_t kNow = 1800000000;
constexpr std::string_view kIssuer = "https://gitlab.test";

const TestKey& RsaKey() {
  static const TestKey kKey = TestKey::Rsa("rsa");
  return kKey;
}

Json GoodClaims() {
  Json claims;
  claims.Set("iss", Json::String(kIssuer));
  claims.Set("aud", Json::String("https://depot.test"));
  claims.Set("sub", Json::String("project_path:web/shop"));
  claims.Set("exp", Json::Number(kNow + 300));
  claims.Set("nbf", Json::Number(kNow - 5));
  claims.Set("iat", Json::Number(kNow));
  claims.Set("project_path", Json::String("web/shop"));
  claims.Set("ref_protected", Json::String("true"));
  return claims;
}

Json With(std::string_view claim, Json value) {
  Json claims = GoodClaims();
  claims.Set(claim, std::move(value));
  return claims;
}

Json List(const std::vector<std::string>& texts) {
  Json list = Json::Array();
  for (const std::string& text : texts)
    list.Append(Json::String(text));
  return list;
}

/// A pool with two projects, stored tokens, and an issuer whose keys lie in a file.
class GateTest : public testing::Test {
 protected:
  GateTest() {
    settings_.projects = {{"shop", "shop", "", {}}, {"tools", "tools", "", {}}};
    settings_.users = {{"ann", {"shop", "tools"}}, {"idle", {}}};
    settings::OidcSettings oidc;
    oidc.issuer = kIssuer;
    oidc.audience = "https://depot.test";
    oidc.jwks_file = dir_.path("keys.json");
    oidc.algorithms = {"RS256"};
    oidc.rules = {{"shop", {{"project_path", "web/shop"}, {"ref_protected", "true"}}}};
    settings_.oidc = {oidc};
    Publish({RsaKey().Jwk()});
  }

  void Publish(const std::vector<Json>& keys) { dir_.Write("keys.json", KeySet(keys)); }

  settings::OidcSettings& oidc() { return settings_.oidc[0]; }

  Result<Caller> Admit(const std::string& token, std::int64_t now = kNow) {
    TRY_ASSIGN(std::optional<Caller> caller, gate_->Admit(settings_, Secret(token), now));
    if (caller) return *std::move(caller);
    return Fail(ErrorCode::kUnavailable, "the keys are being fetched");
  }

  /// Why the token is denied; no part of it may stand there.
  std::string Denied(const std::string& token, std::int64_t now = kNow) {
    const Result<Caller> caller = Admit(token, now);
    if (caller) return "it was admitted";
    EXPECT_EQ(caller.error().code(), ErrorCode::kDenied) << caller.error().message();
    for (std::string_view part : Split(token, '.')) {
      EXPECT_TRUE(part.empty() || caller.error().message().find(part) == std::string::npos);
    }
    return caller.error().message();
  }

  std::string Stored(const std::string& text, settings::TokenRecord record) {
    record.sha256 = TokenHash(Secret(text));
    settings_.tokens.push_back(std::move(record));
    return text;
  }

  TempDir dir_;
  settings::Settings settings_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test", std::chrono::seconds(5), {});
  std::unique_ptr<Gate> gate_ = MakeGate(*client_);
};

#define EXPECT_SAYS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << (text) << "\n  lacks: " << (part)

TEST_F(GateTest, AProjectTokenOpensItsProjectAlone) {
  Stored("other", {"t0", "", "tools", ""});
  const Result<Caller> caller = Admit(Stored("token-of-shop", {"t1", "", "shop", ""}));
  ASSERT_TRUE(caller) << caller.error().message();
  EXPECT_EQ(caller->kind, Caller::Kind::kProjectToken);
  EXPECT_EQ(caller->name, "t1");
  EXPECT_TRUE(caller->MayUse("shop"));
  EXPECT_FALSE(caller->MayUse("tools"));
}

TEST_F(GateTest, AUserTokenOpensTheProjectsOfItsUser) {
  const Result<Caller> caller = Admit(Stored("token-of-ann", {"t1", "", "", "ann"}));
  ASSERT_TRUE(caller) << caller.error().message();
  EXPECT_EQ(caller->kind, Caller::Kind::kUserToken);
  EXPECT_EQ(caller->name, "ann");
  EXPECT_EQ(caller->projects, (std::vector<std::string>{"shop", "tools"}));
}

TEST_F(GateTest, ATokenOfNobodyOpensNothing) {
  EXPECT_SAYS(Denied(Stored("one", {"t1", "", "", "gone"})), "t1 opens no project");
  EXPECT_SAYS(Denied(Stored("two", {"t2", "", "gone", ""})), "t2 opens no project");
  EXPECT_SAYS(Denied(Stored("three", {"t3", "", "", "idle"})), "t3 opens no project");
  EXPECT_SAYS(Denied("unheard-of"), "not known");
  EXPECT_SAYS(Denied(""), "no token");
  EXPECT_SAYS(Denied(std::string(20000, 'a')), "longer");
}

TEST_F(GateTest, ARevokedOrExpiredTokenOpensNothing) {
  EXPECT_SAYS(Denied(Stored("taken-back", {"t1", "", "shop", "", 0, 0, true})), "t1 was revoked");
  const std::string token = Stored("expiring", {"t2", "", "shop", "", 0, kNow});
  EXPECT_TRUE(Admit(token, kNow - 1));
  EXPECT_SAYS(Denied(token, kNow), "t2 has expired");
}

TEST_F(GateTest, WhoIsAdmittedMayGoOnUntilTheRightIsTakenBack) {
  const std::string shop =
      Admit(Stored("of-shop", {"t1", "", "shop", "", 0, kNow + 1}))->admitted_by;
  const std::string ann = Admit(Stored("of-ann", {"t2", "", "", "ann"}))->admitted_by;
  const auto barred = [&](const std::string& by) { return Barred(settings_, by, "shop"); };
  const std::string issuer = Cat("oidc:", oidc().issuer);
  for (const std::string& by : {shop, ann, issuer, std::string()})
    EXPECT_EQ(barred(by), "") << by;
  EXPECT_SAYS(Barred(settings_, shop, "tools"), "does not open project tools");
  EXPECT_SAYS(Barred(settings_, issuer, "tools"), "do not open project tools");
  settings_.tokens[0].revoked = true;
  settings_.users[0].projects = {"tools"};
  oidc().rules.clear();
  EXPECT_SAYS(barred(shop), "t1 was revoked");
  EXPECT_SAYS(barred(ann), "t2 does not open project shop");
  EXPECT_SAYS(barred(issuer), "do not open project shop");
  settings_.tokens.clear();
  EXPECT_SAYS(barred(ann), "t2 was revoked");
  settings_.projects.clear();
  EXPECT_SAYS(barred(""), "no project shop");
}

TEST_F(GateTest, TheHashIsNotAToken) {
  Stored("secret", {"t1", "", "shop", ""});
  EXPECT_SAYS(Denied(settings_.tokens[0].sha256), "not known");
}

TEST(NewToken, IsLongRandomAndFitsAHeader) {
  const Secret token = NewToken("depot_project");
  const std::string text(token.Reveal());
  EXPECT_TRUE(text.starts_with("depot_project_"));
  EXPECT_EQ(text.size(), 14U + 43U);
  EXPECT_EQ(text.find_first_of("+/=. "), std::string::npos);
  EXPECT_NE(token, NewToken("depot_project"));
  EXPECT_EQ(TokenHash(Secret("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(GateTest, AJwtOpensWhatItsClaimsOpen) {
  const Result<Caller> caller = Admit(RsaKey().Sign("RS256", GoodClaims()));
  ASSERT_TRUE(caller) << caller.error().message();
  EXPECT_EQ(caller->kind, Caller::Kind::kOidc);
  EXPECT_EQ(caller->name, "project_path:web/shop");
  EXPECT_EQ(caller->projects, std::vector<std::string>{"shop"});
  EXPECT_EQ(caller->admitted_by, Cat("oidc:", oidc().issuer));
}

TEST_F(GateTest, EveryAlgorithmThatTheFileAllowsWorks) {
  const TestKey p256 = TestKey::Curve("p256", "P-256");
  const TestKey p384 = TestKey::Curve("p384", "P-384");
  const TestKey edwards = TestKey::Ed25519("ed");
  Publish({RsaKey().Jwk(), p256.Jwk(), p384.Jwk(), edwards.Jwk()});
  const std::vector<std::pair<std::string, const TestKey*>> cases{
      {"RS256", &RsaKey()}, {"RS384", &RsaKey()}, {"RS512", &RsaKey()}, {"PS256", &RsaKey()},
      {"ES256", &p256},     {"ES384", &p384},     {"EdDSA", &edwards}};
  for (const auto& [algorithm, key] : cases) {
    oidc().algorithms = {"none-of-these"};
    const std::string token = key->Sign(algorithm, GoodClaims());
    EXPECT_SAYS(Denied(token), "not allowed");
    oidc().algorithms = {algorithm};
    const Result<Caller> caller = Admit(token);
    EXPECT_TRUE(caller) << algorithm << ": " << caller.error().message();
    std::string forged = token;
    forged[forged.rfind('.') + 5] = forged[forged.rfind('.') + 5] == 'A' ? 'B' : 'A';
    EXPECT_SAYS(Denied(forged), "signature is not the issuer's");
  }
}

TEST_F(GateTest, AWrongSignatureIsRefused) {
  const std::string token = RsaKey().Sign("RS256", GoodClaims());
  const std::string other = RsaKey().Sign("RS256", With("project_path", Json::String("x")));
  const std::string swapped = token.substr(0, token.rfind('.')) + other.substr(other.rfind('.'));
  EXPECT_SAYS(Denied(swapped), "signature");
  EXPECT_SAYS(Denied(token.substr(0, token.rfind('.') + 1)), "signature");
  EXPECT_SAYS(Denied(TestKey::Rsa("rsa").Sign("RS256", GoodClaims())), "signature");
}

TEST_F(GateTest, AlgNoneIsRefused) {
  for (const char* none : {"none", "None", "NONE", ""}) {
    const std::string signed_token =
        RsaKey().Sign("RS256", GoodClaims(), {{"alg", Json::String(none)}});
    const std::string bare = signed_token.substr(0, signed_token.rfind('.') + 1);
    EXPECT_SAYS(Denied(bare), "not allowed");
    oidc().algorithms = {"RS256", none};
    EXPECT_SAYS(Denied(bare), "does not fit");
    oidc().algorithms = {"RS256"};
  }
}

TEST_F(GateTest, HmacWithThePublicKeyIsRefused) {
  const std::string token = RsaKey().Sign("RS256", GoodClaims(), {{"alg", Json::String("HS256")}});
  const std::string message = token.substr(0, token.rfind('.'));
  const std::string secret = dir_.Read("keys.json");
  unsigned char mac[32];
  unsigned size = sizeof mac;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac, &size);
  const std::string forged =
      Cat(message, '.', Base64Url({reinterpret_cast<const char*>(mac), size}));
  EXPECT_SAYS(Denied(forged), "not allowed");
  oidc().algorithms = {"RS256", "HS256"};
  EXPECT_SAYS(Denied(forged), "does not fit");
}

TEST_F(GateTest, AnotherAlgorithmThanTheSignersIsRefused) {
  const TestKey p256 = TestKey::Curve("p256", "P-256");
  oidc().algorithms = {"RS256", "PS256", "ES256", "ES384", "EdDSA"};
  Json bound = RsaKey().Jwk();
  bound.Set("kid", Json::String("bound"));
  bound.Set("alg", Json::String("RS256"));
  Publish({RsaKey().Jwk(), p256.Jwk(), bound});
  const auto as = [](const char* name) {
    return std::vector<std::pair<std::string, Json>>{{"alg", Json::String(name)}};
  };
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", GoodClaims(), as("PS256"))), "signature");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", GoodClaims(), as("ES256"))), "does not fit");
  EXPECT_SAYS(Denied(p256.Sign("ES256", GoodClaims(), as("ES384"))), "does not fit");
  EXPECT_SAYS(Denied(p256.Sign("ES256", GoodClaims(), as("EdDSA"))), "does not fit");
  EXPECT_SAYS(Denied(RsaKey().Sign("PS256", GoodClaims(), {{"kid", Json::String("bound")}})),
              "does not fit");
}

TEST_F(GateTest, ACurveSignatureInDerIsRefused) {
  const TestKey p256 = TestKey::Curve("p256", "P-256");
  oidc().algorithms = {"ES256"};
  Publish({p256.Jwk()});
  const std::string token = p256.Sign("ES256", GoodClaims());
  for (const std::string& signature :
       {std::string(64, '\0'), std::string(70, '\x30'), std::string()}) {
    EXPECT_SAYS(Denied(Cat(token.substr(0, token.rfind('.') + 1), Base64Url(signature))),
                "signature");
  }
}

TEST_F(GateTest, TheAudienceMustBeOurs) {
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("aud", Json::String("https://other")))),
              "audience (aud) is not https://depot.test");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("aud", Json()))), "audience");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("aud", List({"a", "b"})))), "audience");
  EXPECT_TRUE(Admit(RsaKey().Sign("RS256", With("aud", List({"a", "https://depot.test"})))));
}

TEST_F(GateTest, TheIssuerMustBeTrusted) {
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("iss", Json::String("https://evil")))), "iss");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("iss", Json::String("https://gitlab.test/")))),
              "iss");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("iss", Json()))), "iss");
}

TEST_F(GateTest, TimesAreChecked) {
  const std::string token = RsaKey().Sign("RS256", GoodClaims());
  EXPECT_TRUE(Admit(token, kNow + 299));
  EXPECT_SAYS(Denied(token, kNow + 300), "expired");
  EXPECT_TRUE(Admit(token, kNow - 60)) << "60 s of leeway";
  EXPECT_SAYS(Denied(token, kNow - 61), "future");
  EXPECT_SAYS(Denied(token, kNow - 66), "not valid yet");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("exp", Json()))), "expiry");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("exp", Json::String("1900000000")))), "expiry");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("nbf", Json::String("x")))), "nbf");
}

TEST_F(GateTest, ClaimsMustMatchTheRule) {
  const auto sign = [](std::string_view claim, Json value) {
    return RsaKey().Sign("RS256", With(claim, std::move(value)));
  };
  EXPECT_SAYS(Denied(sign("project_path", Json::String("web/other"))), "open no project");
  EXPECT_SAYS(Denied(sign("project_path", Json::String("web/shop2"))), "open no project");
  EXPECT_SAYS(Denied(sign("project_path", Json())), "open no project");
  EXPECT_SAYS(Denied(sign("project_path", List({"web/shop"}))), "open no project");
  EXPECT_SAYS(Denied(sign("ref_protected", Json::String("false"))), "open no project");
  EXPECT_TRUE(Admit(sign("ref_protected", Json::Bool(true)))) << "a boolean counts as its text";
  oidc().rules = {{"shop", {{"project_id", "42"}}}};
  EXPECT_TRUE(Admit(sign("project_id", Json::Number(42)))) << "a number counts as its text";
  oidc().rules = {{"shop", {}}};
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", GoodClaims())), "open no project");
}

TEST_F(GateTest, AStarAtTheEndIsAPrefix) {
  oidc().rules = {{"tools", {{"project_path", "web/*"}}},
                  {"shop", {{"project_path", "web/shop"}}},
                  {"tools", {{"sub", "*"}}}};
  const Result<Caller> caller = Admit(RsaKey().Sign("RS256", GoodClaims()));
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->projects, (std::vector<std::string>{"tools", "shop"}));
  oidc().rules = {{"tools", {{"project_path", "web/*"}}}};
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("project_path", Json::String("website")))),
              "open no project");
}

TEST_F(GateTest, MalformedTokensAreRefused) {
  const std::string token = RsaKey().Sign("RS256", GoodClaims());
  for (const std::string& wrong :
       {std::string("a.b.c"), std::string(".."), token + "=", token + "\n", " " + token,
        "e30." + token, Cat(Base64Url("[]"), token.substr(token.find('.')))}) {
    const Result<Caller> caller = Admit(wrong);
    ASSERT_FALSE(caller) << wrong;
    EXPECT_EQ(caller.error().code(), ErrorCode::kDenied);
  }
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", GoodClaims(), {{"crit", List({"x"})}})), "crit");
  EXPECT_SAYS(Denied(RsaKey().Sign("RS256", With("pad", Json::String(std::string(20000, 'a'))))),
              "longer");
}

TEST_F(GateTest, AKeyIsNamedWhenThereAreSeveral) {
  const std::vector<std::pair<std::string, Json>> no_kid{{"kid", Json()}};
  const std::string nameless = RsaKey().Sign("RS256", GoodClaims(), no_kid);
  EXPECT_TRUE(Admit(nameless)) << "the set has one key";
  Publish({RsaKey().Jwk(), TestKey::Curve("p256", "P-256").Jwk()});
  EXPECT_SAYS(Denied(nameless), "which of the issuer's keys");
  EXPECT_SAYS(Denied(TestKey::Curve("elsewhere", "P-256").Sign("RS256", GoodClaims())),
              "does not have");
}

TEST_F(GateTest, WeakAndUnfitKeysAreRefused) {
  const TestKey weak = TestKey::Rsa("weak", 1024);
  Json encryption = RsaKey().Jwk();
  encryption.Set("kid", Json::String("enc"));
  encryption.Set("use", Json::String("enc"));
  Json wrapping = RsaKey().Jwk();
  wrapping.Set("kid", Json::String("wrap"));
  wrapping.Set("key_ops", List({"wrapKey"}));
  Json broken = TestKey::Curve("broken", "P-256").Jwk();
  broken.Set("x", Json::String(Base64Url(std::string(32, '\x01'))));
  Json shared;
  shared.Set("kid", Json::String("oct"));
  shared.Set("kty", Json::String("oct"));
  shared.Set("k", Json::String("AAAA"));
  Publish({weak.Jwk(), encryption, wrapping, broken, shared});
  oidc().algorithms = {"RS256", "ES256", "HS256"};
  const auto named = [](const char* id) {
    return RsaKey().Sign("RS256", GoodClaims(), {{"kid", Json::String(id)}});
  };
  EXPECT_SAYS(Denied(weak.Sign("RS256", GoodClaims())), "fewer than 2048 bits");
  EXPECT_SAYS(Denied(named("enc")), "not for signatures");
  EXPECT_SAYS(Denied(named("wrap")), "not for signatures");
  EXPECT_SAYS(Denied(named("broken")), "malformed");
  EXPECT_SAYS(Denied(named("oct")), "not supported");
}

}  // namespace
}  // namespace depot::identity::gate_test
