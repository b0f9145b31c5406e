#include "pool/front/entrance.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::front {
namespace {

constexpr std::size_t kReadAhead = 128 << 10;

/// One handshake, as far as the certificate is concerned.
struct Visitor {
  const Entrance::Check& check;
  identity::Pass pass;
  std::optional<Error> refusal;
};

int Refuse(X509_STORE_CTX* store, Visitor& visitor, Error why) {
  const bool over = why.code() == ErrorCode::kFailed;
  X509_STORE_CTX_set_error(store, over ? X509_V_ERR_CERT_REVOKED : X509_V_ERR_CERT_REJECTED);
  visitor.refusal = std::move(why);
  return 0;
}

int OnVerify(int accepted, X509_STORE_CTX* store) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& visitor = *static_cast<Visitor*>(SSL_get_app_data(ssl));
  if (accepted != 1) {
    visitor.refusal = Error(ErrorCode::kDenied,
                            Cat("the certificate is not good: ",
                                X509_verify_cert_error_string(X509_STORE_CTX_get_error(store))));
    return 0;
  }
  if (X509_STORE_CTX_get_error_depth(store) != 0) return 1;
  Result<identity::Pass> pass = identity::ReadPass(*X509_STORE_CTX_get_current_cert(store));
  if (!pass) return Refuse(store, visitor, std::move(pass).error());
  Result<> good = visitor.check(*pass);
  // Asking the pool is TLS too: its errors are not those of this handshake.
  ERR_clear_error();
  if (!good) return Refuse(store, visitor, std::move(good).error());
  visitor.pass = *std::move(pass);
  return 1;
}

int ChooseH2(SSL*,
             const unsigned char** chosen,
             unsigned char* chosen_size,
             const unsigned char* offered,
             unsigned int offered_size,
             void*) {
  static constexpr unsigned char kH2[] = {2, 'h', '2'};
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, chosen_size, kH2, sizeof kH2, offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// What a client says that does not trust the certificate it was shown; nullopt when it did not say
/// anything like that. Leaves the queue of OpenSSL as it is.
std::optional<Error> DistrustOf(SSL* tls) {
  constexpr int kOfCertificates[] = {
      SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,     SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
      SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
      SSL_R_TLSV1_ALERT_UNKNOWN_CA,
  };
  const unsigned long error = ERR_peek_error();
  const bool said = std::find(std::begin(kOfCertificates), std::end(kOfCertificates),
                              ERR_GET_REASON(error)) != std::end(kOfCertificates);
  if (!said) return std::nullopt;
  const char* name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
  return Error(
      ErrorCode::kInvalid,
      Cat("it does not trust our certificate for ",
          name == nullptr ? "this address" : Printable(name), " (", ERR_reason_error_string(error),
          "): server.pem has to name what `builders` of the pool calls this builder"));
}

Result<> TrustClients(SSL_CTX* context, const std::string& pem) {
  const OpenSslPtr<BIO> bio = MemoryBio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (OpenSslPtr<X509> ca{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store, ca.get());
    SSL_CTX_add_client_CA(context, ca.get());
    ++count;
  }
  ERR_clear_error();
  if (count > 0) return {};
  return Fail(ErrorCode::kInvalid, "the authority of clients is no PEM certificate");
}

/// The order of a Go server: what is fastest on most machines comes first.
constexpr const char* kCiphers =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

}  // namespace

Result<Entrance> Entrance::Open(const Certificates& certificates) {
  OpenSslPtr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Fail(ErrorCode::kInternal, Cat("start TLS: ", TakeOpenSslReason()));
  SSL_CTX* tls = context.get();
  SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
  SSL_CTX_set_options(tls,
                      SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(tls, 0);
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_default_read_buffer_len(tls, kReadAhead);
  SSL_CTX_set_ciphersuites(tls, kCiphers);
  SSL_CTX_set_alpn_select_cb(tls, ChooseH2, nullptr);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, OnVerify);
  TRY(UseIdentity(tls, "server", certificates.own_pem, certificates.key_pem));
  TRY(TrustClients(tls, certificates.clients_pem));
  return Entrance(std::move(context));
}

Result<Guest> Entrance::Admit(int socket, const Check& check, const Cancel& cancel) const {
  Visitor visitor{check, {}, {}};
  Guest guest{OpenSslPtr<SSL>(SSL_new(context_.get())), {}};
  SSL* tls = guest.tls.get();
  if (tls == nullptr || SSL_set_fd(tls, socket) != 1) {
    return Fail(ErrorCode::kInternal, Cat("start TLS: ", TakeOpenSslReason()));
  }
  SSL_set_app_data(tls, &visitor);
  while (true) {
    ERR_clear_error();
    const int done = SSL_accept(tls);
    if (done == 1) break;
    const int error = SSL_get_error(tls, done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      TRY(WaitForFd(socket, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, cancel));
      continue;
    }
    if (visitor.refusal) return Fail(*std::move(visitor.refusal));
    if (auto distrust = DistrustOf(tls)) return Fail(*std::move(distrust));
    return Fail(ErrorCode::kUnavailable, Cat("no TLS handshake: ", TakeOpenSslReason()));
  }
  SSL_set_app_data(tls, nullptr);
  guest.pass = std::move(visitor.pass);
  return guest;
}

}  // namespace depot::front
