#include <csignal>

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include "pool/web/server.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/web/raw_client.h"

namespace depot::web::tls_test {
namespace {

using namespace std::chrono_literals;
using test::Echo;
using test::Get;
using test::Post;
using test::RawClient;
using test::Serve;
using test::TestAuthority;

class WebTls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    authority_ = new TestAuthority();
    authority_->Issue("first", "IP:127.0.0.1");
    authority_->Issue("second", "IP:127.0.0.1");
  }
  static void TearDownTestSuite() { delete authority_; }

  WebTls() {
    routes_.whole[{"GET", "/a"}] = Echo;
    routes_.guarded[{"POST", "/a"}] = test::Guarded(Echo);
  }

  static ServerTls Certificate(const std::string& name) {
    return {authority_->Pem(name + ".pem") + authority_->Pem("ca.pem"),
            Secret(authority_->Pem(name + ".key"))};
  }

  static std::string NameOf(const RawClient& client) {
    X509* certificate = SSL_get0_peer_certificate(client.ssl());
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
    return name;
  }

  static std::function<void(SSL_CTX*)> Offer(std::string protocols) {
    return [protocols](SSL_CTX* context) {
      SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned>(protocols.size()));
    };
  }

  static TestAuthority* authority_;
  Routes routes_;
};

TestAuthority* WebTls::authority_ = nullptr;

TEST_F(WebTls, ServesRequestsOfAnySize) {
  auto server = Serve(routes_, {}, Certificate("first"));
  RawClient client(server->port());
  ASSERT_TRUE(client.StartTls());
  EXPECT_EQ(client.Ask(Get("/a")).body, "GET /a ");
  std::string body(3 << 20, 'b');
  EXPECT_EQ(client.Ask(Post("/a", body)).body, "POST /a " + body);
  EXPECT_EQ(client.Ask(Get("/a")).body, "GET /a ");
}

TEST_F(WebTls, SendsTheChainAndVerifies) {
  auto server = Serve(routes_, {}, Certificate("first"));
  RawClient client(server->port());
  ASSERT_TRUE(client.StartTls([](SSL_CTX* context) {
    SSL_CTX_load_verify_locations(context, authority_->path("ca.pem").c_str(), nullptr);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }));
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(client.ssl())), 2);
}

TEST_F(WebTls, AgreesOnHttp11Alone) {
  auto server = Serve(routes_, {}, Certificate("first"));
  RawClient both(server->port());
  ASSERT_TRUE(both.StartTls(Offer("\x02h2\x08http/1.1")));
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(both.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  EXPECT_EQ(both.Ask(Get("/a")).status, 200);
  EXPECT_FALSE(RawClient(server->port()).StartTls(Offer("\x02h2")));
}

TEST_F(WebTls, RefusesOldVersionsAndRenegotiation) {
  auto server = Serve(routes_, {}, Certificate("first"));
  EXPECT_FALSE(RawClient(server->port()).StartTls([](SSL_CTX* context) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
  }));
  RawClient client(server->port());
  ASSERT_TRUE(client.StartTls(
      [](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION); }));
  EXPECT_EQ(client.Ask(Get("/a")).status, 200);
  EXPECT_EQ(SSL_renegotiate(client.ssl()), 1);
  EXPECT_NE(SSL_do_handshake(client.ssl()), 1);
}

TEST_F(WebTls, ReplacesItsCertificateForNewConnections) {
  auto server = Serve(routes_, {}, Certificate("first"));
  RawClient before(server->port());
  ASSERT_TRUE(before.StartTls());
  EXPECT_EQ(NameOf(before), "first");
  ASSERT_TRUE(server->ReplaceTls(Certificate("second")));
  RawClient after(server->port());
  ASSERT_TRUE(after.StartTls());
  EXPECT_EQ(NameOf(after), "second");
  EXPECT_EQ(before.Ask(Get("/a")).status, 200);

  ServerTls mixed = Certificate("first");
  mixed.key_pem = Certificate("second").key_pem;
  EXPECT_FALSE(server->ReplaceTls(mixed));
  EXPECT_FALSE(server->ReplaceTls({}));
  RawClient still(server->port());
  ASSERT_TRUE(still.StartTls());
  EXPECT_EQ(NameOf(still), "second");
}

TEST_F(WebTls, SaysWhatIsWrongWithItsCertificate) {
  ServerTls no_key = {Certificate("first").certificate_pem, Secret("")};
  ServerTls no_certificate = {"", Certificate("first").key_pem};
  ServerTls nonsense = {"nonsense", Secret("nonsense")};
  ServerTls mixed = {Certificate("first").certificate_pem, Certificate("second").key_pem};
  for (const ServerTls& tls : {no_key, no_certificate, nonsense, mixed}) {
    auto server = StartServer("127.0.0.1:0", tls, routes_, {});
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code(), ErrorCode::kInvalid);
    EXPECT_FALSE(server.error().hint().empty());
  }
}

TEST_F(WebTls, ClosesClientsThatDoNotFinishTheirHandshake) {
  Limits limits;
  limits.handshake = 1s;
  auto server = Serve(routes_, limits, Certificate("first"));
  RawClient silent(server->port());
  RawClient halfway(server->port());
  halfway.Send("\x16\x03\x01\x02");
  RawClient plain(server->port());
  plain.Send(Get("/a"));
  EXPECT_TRUE(silent.AtEnd());
  EXPECT_TRUE(halfway.AtEnd());
  EXPECT_EQ(plain.Read().status, 0);
}

TEST_F(WebTls, AnswersATooLongBodyBeforeItCloses) {
  Limits limits;
  limits.body_bytes = 1000;
  auto server = Serve(routes_, limits, Certificate("first"));
  RawClient client(server->port());
  ASSERT_TRUE(client.StartTls());
  EXPECT_EQ(client.Ask(Post("/a", std::string(500'000, 'b'))).status, 413);
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(SSL_get_shutdown(client.ssl()), SSL_RECEIVED_SHUTDOWN);  // an orderly end
}

}  // namespace
}  // namespace depot::web::tls_test
