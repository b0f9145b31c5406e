#include "pool/web/transport.h"

#include <cerrno>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "driver/base/openssl.h"
#include "driver/base/text.h"

namespace depot::web {
namespace {

using Outcome = IoResult::Outcome;

int ChooseProtocol(SSL*,
                   const unsigned char** chosen,
                   unsigned char* chosen_size,
                   const unsigned char* offered,
                   unsigned int offered_size,
                   void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  int result =
      SSL_select_next_proto(&found, chosen_size, kOurs, sizeof kOurs - 1, offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

IoResult FromErrno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Outcome::kWantRead};
  return {Outcome::kBroken};
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int socket) : socket_(socket) {}

  IoResult Handshake() override { return {Outcome::kDone}; }

  IoResult Read(char* to, std::size_t size) override {
    ssize_t got = ::recv(socket_, to, size, MSG_DONTWAIT);
    if (got < 0) return FromErrno();
    return {got == 0 ? Outcome::kEnd : Outcome::kDone, static_cast<std::size_t>(got)};
  }

  IoResult Write(std::string_view bytes) override {
    ssize_t put = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) return {Outcome::kDone, static_cast<std::size_t>(put)};
    IoResult result = FromErrno();
    if (result.outcome == Outcome::kWantRead) result.outcome = Outcome::kWantWrite;
    return result;
  }

  void EndWriting() override { ::shutdown(socket_, SHUT_WR); }

 private:
  int socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(int socket, const TlsContext& context)
      : socket_(socket), ssl_(SSL_new(context.get())) {
    // Without memory for it everything is kBroken.
    if (ssl_ && SSL_set_fd(ssl_.get(), socket) != 1) ssl_.reset();
  }

  IoResult Handshake() override {
    return Try([](SSL* ssl, std::size_t*) { return SSL_accept(ssl); });
  }

  IoResult Read(char* to, std::size_t size) override {
    return Try([&](SSL* ssl, std::size_t* got) { return SSL_read_ex(ssl, to, size, got); });
  }

  IoResult Write(std::string_view bytes) override {
    return Try([&](SSL* ssl, std::size_t* put) {
      return SSL_write_ex(ssl, bytes.data(), bytes.size(), put);
    });
  }

  void EndWriting() override {
    ERR_clear_error();
    // After a fatal error OpenSSL must not be asked, and before the handshake it refuses.
    if (ssl_ && !broken_) (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
    ::shutdown(socket_, SHUT_WR);
  }

 private:
  template <typename Call>
  IoResult Try(Call call) {
    if (!ssl_ || broken_) return {Outcome::kBroken};
    ERR_clear_error();
    std::size_t bytes = 0;
    int result = call(ssl_.get(), &bytes);
    if (result > 0) return {Outcome::kDone, bytes};
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {Outcome::kWantRead};
      case SSL_ERROR_WANT_WRITE:
        return {Outcome::kWantWrite};
      case SSL_ERROR_ZERO_RETURN:
        return {Outcome::kEnd};
      default:
        broken_ = true;
        return {Outcome::kBroken};
    }
  }

  int socket_;
  OpenSslPtr<SSL> ssl_;
  bool broken_ = false;
};

}  // namespace

Result<TlsContext> MakeTlsContext(const ServerTls& tls) {
  if (tls.certificate_pem.empty() && tls.key_pem.empty()) return TlsContext();
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Fail(ErrorCode::kInternal, Cat("start TLS: ", TakeOpenSslReason()));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle connections are many and must be cheap.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(raw, ChooseProtocol, nullptr);
  TRY(UseIdentity(raw, "server", tls.certificate_pem, tls.key_pem));
  return context;
}

std::unique_ptr<Transport> MakeTransport(int socket, const TlsContext& tls) {
  if (!tls) return std::make_unique<PlainTransport>(socket);
  return std::make_unique<TlsTransport>(socket, tls);
}

}  // namespace depot::web
