#include <csignal>
#include <functional>
#include <memory>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/dial.h"
#include "driver/rpc/process_stream.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/rpc/loopback.h"

namespace depot::rpc::tls_stream_test {
namespace {

using namespace std::chrono_literals;
using test::TestAuthority;

Cancel Soon() {
  return Cancel::Never().WithTimeout(30s, "the test");
}

/// The protocol version that the server insists on.
class TlsStream : public testing::TestWithParam<int> {
 protected:
  using Talk = std::function<void(SSL*)>;

  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    authority_ = new TestAuthority();
    authority_->Issue("server", "IP:127.0.0.1,DNS:localhost");
    authority_->Issue("elsewhere", "DNS:builder.example,DNS:*.other.example,IP:10.0.0.1");
    authority_->Issue("expired", "IP:127.0.0.1", -1);
    authority_->Issue("client", "DNS:client");
    stranger_ = new TestAuthority();
    stranger_->Issue("client", "DNS:client");
  }

  static void TearDownTestSuite() {
    delete authority_;
    delete stranger_;
  }

  TlsStream() {
    options_.server_name = "127.0.0.1";
    options_.ca_pem = authority_->Pem("ca.pem");
    options_.alpn = "h2";
  }

  ~TlsStream() override {
    server_.Stop(Error(ErrorCode::kCancelled, "the test is over"));
    (void)server_.Wait();
  }

  /// Serves one connection with NAME's certificate: `talk` when the handshake succeeded.
  void Serve(
      const std::string& name, Talk talk = [](SSL*) {}) {
    ServeRaw([this, name, talk](int socket, const Cancel&) {
      std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()),
                                                           SSL_CTX_free);
      SSL_CTX_set_min_proto_version(context.get(), GetParam());
      SSL_CTX_set_max_proto_version(context.get(), GetParam());
      SSL_CTX_use_certificate_chain_file(context.get(), authority_->path(name + ".pem").c_str());
      SSL_CTX_use_PrivateKey_file(context.get(), authority_->path(name + ".key").c_str(),
                                  SSL_FILETYPE_PEM);
      SSL_CTX_set_alpn_select_cb(context.get(), ChooseFirstProtocol, nullptr);
      if (wants_client_certificate_) {
        SSL_CTX_load_verify_locations(context.get(), authority_->path("ca.pem").c_str(), nullptr);
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           nullptr);
      }
      std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
      SSL_set_fd(ssl.get(), socket);
      if (SSL_accept(ssl.get()) == 1) talk(ssl.get());
    });
  }

  void ServeRaw(std::function<void(int socket, const Cancel&)> serve) {
    server_.Start("server", [this, serve](const Cancel& cancel) -> Result<> {
      Fd socket = listener_.Accept(cancel);
      if (socket.valid()) serve(socket.get(), cancel);
      return {};
    });
  }

  Result<std::unique_ptr<ByteStream>> Connect(const Cancel& cancel = Soon()) {
    TRY_ASSIGN(Fd socket, DialTcp("127.0.0.1", listener_.port(), cancel));
    return StartTls(MakeSocketStream(std::move(socket)), options_, cancel);
  }

  /// The error of the handshake, or of writing and then reading where that comes first.
  Error Refusal() {
    auto stream = Connect();
    if (!stream) return stream.error();
    (void)(*stream)->Write({Bytes("PRI * HTTP/2.0")}, Soon());
    char byte = 0;
    Result<std::size_t> got = (*stream)->Read(&byte, 1, Soon());
    return got ? Error(ErrorCode::kInternal, "nothing was refused") : got.error();
  }

  void UseClientCertificate(const TestAuthority& authority) {
    options_.certificate_pem = authority.Pem("client.pem");
    options_.key_pem = Secret(authority.Pem("client.key"));
  }

  static int ChooseFirstProtocol(SSL*,
                                 const unsigned char** out,
                                 unsigned char* size,
                                 const unsigned char* offered,
                                 unsigned,
                                 void*) {
    *size = offered[0];
    *out = offered + 1;
    return SSL_TLSEXT_ERR_OK;
  }

  static inline TestAuthority* authority_ = nullptr;
  static inline TestAuthority* stranger_ = nullptr;

  TlsOptions options_;
  bool wants_client_certificate_ = false;
  test::Listener listener_;
  TaskGroup server_{Cancel::Never()};
};

INSTANTIATE_TEST_SUITE_P(Tls12, TlsStream, testing::Values(TLS1_2_VERSION));
INSTANTIATE_TEST_SUITE_P(Tls13, TlsStream, testing::Values(TLS1_3_VERSION));

TEST_P(TlsStream, CarriesMegabytesBothWaysAtOnce) {
  std::string protocol;
  Serve("server", [&](SSL* ssl) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl, &name, &size);
    protocol.assign(reinterpret_cast<const char*>(name), size);
    std::string buffer(100'000, '\0');
    int got = 0;
    while ((got = SSL_read(ssl, buffer.data(), 100'000)) > 0) {
      if (SSL_write(ssl, buffer.data(), got) != got) return;
    }
  });
  auto stream = Connect();
  ASSERT_TRUE(stream) << stream.error().message();

  // Pieces below, at and above the size of a record.
  std::string sent;
  BytesList pieces;
  for (std::size_t i = 0; sent.size() < (5 << 20); ++i) {
    std::size_t size = i % 3 == 0 ? 9 : i % 3 == 1 ? 16 << 10 : 70'001;
    std::string piece(size, static_cast<char>('a' + i % 26));
    sent += piece;
    pieces.emplace_back(std::move(piece));
  }
  TaskGroup tasks(Soon());
  tasks.Start("write", [&](const Cancel& cancel) { return (*stream)->Write(pieces, cancel); });
  std::string got;
  std::string buffer(64 << 10, '\0');
  while (got.size() < sent.size()) {
    auto part = (*stream)->Read(buffer.data(), buffer.size(), Soon());
    ASSERT_TRUE(part) << part.error().message();
    ASSERT_GT(*part, 0u);
    got.append(buffer, 0, *part);
  }
  EXPECT_TRUE(tasks.Wait());
  EXPECT_TRUE(got == sent);
  (*stream)->Close();
  ASSERT_TRUE(server_.Wait());
  EXPECT_EQ(protocol, "h2");
}

TEST_P(TlsStream, RunsThroughAProgram) {
  Serve("server", [](SSL* ssl) {
    char buffer[8] = {};
    if (SSL_read(ssl, buffer, sizeof buffer) == 4) SSL_write(ssl, buffer, 4);
  });
  std::string script = Cat("exec 3<>/dev/tcp/127.0.0.1/", listener_.port(), "; cat <&3 & cat >&3");
  auto tunnel = StartProcessStream({"bash", "-c", script});
  ASSERT_TRUE(tunnel);
  auto stream = StartTls(*std::move(tunnel), options_, Soon());
  ASSERT_TRUE(stream) << stream.error().message();
  ASSERT_TRUE((*stream)->Write({Bytes("ping")}, Soon()));
  char buffer[8];
  EXPECT_EQ((*stream)->Read(buffer, sizeof buffer, Soon()).value_or(0), 4u);
  EXPECT_EQ(std::string_view(buffer, 4), "ping");
}

TEST_P(TlsStream, ATunnelThatFailsBeforeTheHandshakeSaysWhy) {
  auto tunnel = StartProcessStream({"sh", "-c", "echo 'no route to host' >&2; exit 255"});
  ASSERT_TRUE(tunnel);
  auto stream = StartTls(*std::move(tunnel), options_, Soon());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(stream.error().message(),
            "TLS handshake: sh ended with exit code 255: no route to host");
}

TEST_P(TlsStream, AcceptsTheServersOtherName) {
  Serve("server");
  options_.server_name = "localhost";
  EXPECT_TRUE(Connect());
}

TEST_P(TlsStream, AServerSignedByAnotherAuthorityIsDenied) {
  Serve("server");
  options_.ca_pem = stranger_->Pem("ca.pem");
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_NE(error.message().find("unknown authority"), std::string::npos) << error.message();
  EXPECT_EQ(error.hint(), "the given CA (cacert) did not sign it");
}

TEST_P(TlsStream, TrustsTheSystemsRootsWithoutACa) {
  options_.ca_pem = "";
  options_.system_roots.file = authority_->path("ca.pem");
  Serve("server");
  EXPECT_TRUE(Connect());
}

TEST_P(TlsStream, AGivenCaReplacesTheSystemsRoots) {
  options_.ca_pem = stranger_->Pem("ca.pem");
  options_.system_roots.file = authority_->path("ca.pem");
  Serve("server");
  EXPECT_EQ(Refusal().code(), ErrorCode::kDenied);
}

TEST_P(TlsStream, WithoutAnyRootNobodyIsTrusted) {
  options_.ca_pem = "";
  Serve("server");
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_TRUE(error.hint().starts_with("give the CA that signed it (cacert), or: there are no "))
      << error.hint();
}

TEST_P(TlsStream, AnUncheckedServerMayHaveAnyCertificate) {
  options_.verify = false;
  options_.ca_pem = "";
  options_.system_roots.file = "/nonexistent.pem";
  Serve("expired");
  EXPECT_TRUE(Connect());
}

TEST_P(TlsStream, AWrongNameListsTheNamesOfTheCertificate) {
  Serve("elsewhere");
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_EQ(error.message(),
            "TLS: the certificate is not for 127.0.0.1 but for builder.example, *.other.example, "
            "10.0.0.1");
  EXPECT_NE(error.hint().find("servername"), std::string::npos);
}

TEST_P(TlsStream, AWrongDnsNameListsThemToo) {
  Serve("elsewhere");
  options_.server_name = "wrong.example";
  EXPECT_NE(Refusal().message().find("not for wrong.example but for builder.example"),
            std::string::npos);
}

TEST_P(TlsStream, AnExpiredCertificateIsDenied) {
  Serve("expired");
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_NE(error.message().find("not valid now: certificate has expired"), std::string::npos)
      << error.message();
}

TEST_P(TlsStream, AServerThatWantsAClientCertificateGetsIt) {
  wants_client_certificate_ = true;
  UseClientCertificate(*authority_);
  Serve("server", [](SSL* ssl) { SSL_write(ssl, "x", 1); });
  auto stream = Connect();
  ASSERT_TRUE(stream) << stream.error().message();
  char byte = 0;
  EXPECT_EQ((*stream)->Read(&byte, 1, Soon()).value_or(0), 1u);
}

TEST_P(TlsStream, AMissingClientCertificateIsSaid) {
  wants_client_certificate_ = true;
  Serve("server");
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_EQ(error.message(), "TLS: the server asks for a client certificate");
  EXPECT_FALSE(error.hint().empty());
}

TEST_P(TlsStream, ARefusedClientCertificateIsSaid) {
  wants_client_certificate_ = true;
  UseClientCertificate(*stranger_);
  Serve("server");
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_NE(error.message().find("the server refused our client certificate"), std::string::npos)
      << error.message();
}

TEST_P(TlsStream, TheEndOfTheStreamIsNoError) {
  bool proper = GetParam() == TLS1_3_VERSION;  // else the connection just ends
  Serve("server", [proper](SSL* ssl) {
    SSL_write(ssl, "last", 4);
    if (proper) SSL_shutdown(ssl);
  });
  auto stream = Connect();
  ASSERT_TRUE(stream) << stream.error().message();
  char buffer[16];
  EXPECT_EQ((*stream)->Read(buffer, sizeof buffer, Soon()).value_or(0), 4u);
  EXPECT_EQ((*stream)->Read(buffer, sizeof buffer, Soon()).value_or(99), 0u);
}

TEST_P(TlsStream, CloseWakesAWaitingReader) {
  Serve("server", [](SSL* ssl) {
    char byte = 0;
    (void)SSL_read(ssl, &byte, 1);
  });
  auto stream = Connect();
  ASSERT_TRUE(stream) << stream.error().message();
  TaskGroup tasks(Soon());
  tasks.Start("close", [&](const Cancel& cancel) -> Result<> {
    (void)cancel.SleepFor(50ms);
    (*stream)->Close();
    return {};
  });
  char byte = 0;
  auto start = std::chrono::steady_clock::now();
  Result<std::size_t> got = (*stream)->Read(&byte, 1, Soon());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_EQ(got.value_or(0), 0u);
}

TEST_P(TlsStream, AReaderIsLeftAtOnceWhenCancelled) {
  Serve("server", [](SSL* ssl) {
    char byte = 0;
    (void)SSL_read(ssl, &byte, 1);
  });
  auto stream = Connect();
  ASSERT_TRUE(stream) << stream.error().message();
  char byte = 0;
  Result<std::size_t> got =
      (*stream)->Read(&byte, 1, Cancel::Never().WithTimeout(50ms, "no answer"));
  (*stream)->Close();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kTimeout);
}

/// Servers that never get as far as a protocol version.
using TlsHandshake = TlsStream;
INSTANTIATE_TEST_SUITE_P(Any, TlsHandshake, testing::Values(TLS1_3_VERSION));

TEST_P(TlsHandshake, AServerThatSpeaksNoTlsIsSaid) {
  for (std::string answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    ServeRaw([answer](int socket, const Cancel&) {
      char hello[2048];
      (void)::recv(socket, hello, sizeof hello, 0);
      (void)::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
    });
    Error error = Refusal();
    EXPECT_EQ(error.code(), ErrorCode::kDenied);
    EXPECT_EQ(error.message(), "TLS: the server does not speak TLS on this port") << answer;
  }
}

TEST_P(TlsHandshake, AServerThatHangsUpIsUnavailable) {
  ServeRaw([](int socket, const Cancel&) {
    char hello[2048];
    (void)::recv(socket, hello, sizeof hello, 0);
  });
  Error error = Refusal();
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_NE(error.message().find("closed the connection"), std::string::npos) << error.message();
}

TEST_P(TlsHandshake, ASilentServerIsLeftAtOnceWhenCancelled) {
  ServeRaw([](int, const Cancel& cancel) { (void)cancel.SleepFor(30s); });
  CancelSource source;
  TaskGroup tasks(Cancel::Never());
  tasks.Start("cancel", [&](const Cancel& cancel) -> Result<> {
    (void)cancel.SleepFor(50ms);
    source.Request(Error(ErrorCode::kCancelled, "the user said stop"));
    return {};
  });
  auto start = std::chrono::steady_clock::now();
  auto stream = Connect(source.cancel());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().message(), "the user said stop");
}

TEST_P(TlsHandshake, OptionsThatCannotWorkAreRefusedBeforehand) {
  EXPECT_TRUE(CheckTlsOptions(options_));
  auto refusal = [](const TlsOptions& options) {
    Result<> checked = CheckTlsOptions(options);
    EXPECT_FALSE(checked);
    if (checked) return std::string();
    EXPECT_EQ(checked.error().code(), ErrorCode::kInvalid);
    EXPECT_EQ(checked.error().message().find("PRIVATE"), std::string::npos);
    return checked.error().message();
  };
  TlsOptions roots = options_;
  roots.ca_pem = "";
  roots.system_roots.file = "/nonexistent.pem";
  EXPECT_NE(refusal(roots).find("/nonexistent.pem"), std::string::npos);
  TlsOptions garbage = options_;
  garbage.ca_pem = "not a certificate";
  EXPECT_EQ(refusal(garbage), "the CA holds no PEM certificate");

  UseClientCertificate(*authority_);
  EXPECT_TRUE(CheckTlsOptions(options_));
  options_.key_pem = Secret(stranger_->Pem("client.key"));
  EXPECT_NE(refusal(options_).find("do not belong together"), std::string::npos);
  options_.key_pem = Secret(authority_->Pem("client.pem"));
  EXPECT_NE(refusal(options_).find("not an unencrypted PEM key"), std::string::npos);
  options_.certificate_pem = authority_->Pem("client.key");
  EXPECT_NE(refusal(options_).find("the client certificate is not PEM"), std::string::npos);
}

}  // namespace
}  // namespace depot::rpc::tls_stream_test
