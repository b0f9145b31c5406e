#include "pool/web/transport.h"

#include <cerrno>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "driver/base/text.h"

namespace depot::web {
namespace {

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
using SslPtr = std::unique_ptr<SSL, Deleter<SSL, SSL_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO, BIO_free_all>>;
using Outcome = Attempt::Outcome;

BioPtr MemoryBio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// The newest OpenSSL error of this thread, in words; clears the queue.
std::string TakeReason() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason ? LowerAscii(reason) : "unknown error";
}

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

Result<> UseCertificate(SSL_CTX* context, const ServerTls& tls) {
  BioPtr chain = MemoryBio(tls.certificate_pem);
  CertificatePtr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Fail(Error(ErrorCode::kInvalid, Cat("the server's certificate: ", TakeReason()))
                    .WithHint("give PEM: the server's own certificate first, then its chain"));
  }
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add_extra_chain_cert(context, next);  // takes it over
  }
  ERR_clear_error();
  BioPtr bio = MemoryBio(tls.key_pem.Reveal());
  // Without a password callback OpenSSL would ask on the terminal.
  auto no_password = [](char*, int, int, void*) { return 0; };
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    return Fail(Error(ErrorCode::kInvalid, Cat("the server's key: ", TakeReason()))
                    .WithHint("give an unencrypted PEM private key"));
  }
  // A key of another kind than the certificate's is taken by the first call without a word.
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Fail(
        Error(ErrorCode::kInvalid,
              Cat("the server's certificate and key do not belong together: ", TakeReason()))
            .WithHint("the first certificate of the file must be the key's"));
  }
  return {};
}

Attempt FromErrno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Outcome::kWantRead};
  return {Outcome::kBroken};
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int socket) : socket_(socket) {}

  Attempt Handshake() override { return {Outcome::kDone}; }

  Attempt Read(char* to, std::size_t size) override {
    ssize_t got = ::recv(socket_, to, size, MSG_DONTWAIT);
    if (got < 0) return FromErrno();
    return {got == 0 ? Outcome::kEnd : Outcome::kDone, static_cast<std::size_t>(got)};
  }

  Attempt Write(std::string_view bytes) override {
    ssize_t put = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) return {Outcome::kDone, static_cast<std::size_t>(put)};
    Attempt attempt = FromErrno();
    if (attempt.outcome == Outcome::kWantRead) attempt.outcome = Outcome::kWantWrite;
    return attempt;
  }

  void EndWriting() override { ::shutdown(socket_, SHUT_WR); }

 private:
  int socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(int socket, const TlsContext& context)
      : socket_(socket), ssl_(SSL_new(context.get())) {
    // Without memory for it every attempt is kBroken.
    if (ssl_ && SSL_set_fd(ssl_.get(), socket) != 1) ssl_.reset();
  }

  Attempt Handshake() override {
    return Try([](SSL* ssl, std::size_t*) { return SSL_accept(ssl); });
  }

  Attempt Read(char* to, std::size_t size) override {
    return Try([&](SSL* ssl, std::size_t* got) { return SSL_read_ex(ssl, to, size, got); });
  }

  Attempt Write(std::string_view bytes) override {
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
  Attempt Try(Call call) {
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
  SslPtr ssl_;
  bool broken_ = false;
};

}  // namespace

Result<TlsContext> MakeTlsContext(const ServerTls& tls) {
  if (tls.certificate_pem.empty() && tls.key_pem.empty()) return TlsContext();
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Fail(ErrorCode::kInternal, Cat("start TLS: ", TakeReason()));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle connections are many and must be cheap.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(raw, ChooseProtocol, nullptr);
  TRY(UseCertificate(raw, tls));
  return context;
}

std::unique_ptr<Transport> MakeTransport(int socket, const TlsContext& tls) {
  if (!tls) return std::make_unique<PlainTransport>(socket);
  return std::make_unique<TlsTransport>(socket, tls);
}

}  // namespace depot::web
