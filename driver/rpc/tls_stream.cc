#include <cerrno>
#include <mutex>
#include <vector>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include "driver/base/text.h"
#include "driver/rpc/dial.h"

// TLS on a non-blocking socket. OpenSSL's SSL object may be used by one thread at a time, so reader
// and writer share a mutex that is held for the work on one batch but never while waiting for the
// socket.

namespace depot::rpc {
namespace {

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX, SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Deleter<SSL, SSL_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO, BIO_free_all>>;

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

bool IsIpAddress(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

Result<> AddRoots(SSL_CTX* context, const std::string& pem) {
  BioPtr bio = MemoryBio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (CertificatePtr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store, certificate.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) {
    return Fail(Error(ErrorCode::kInvalid, "the CA holds no PEM certificate")
                    .WithHint("it must begin with -----BEGIN CERTIFICATE-----"));
  }
  return {};
}

/// Without any roots there is nothing to read, and the handshake will say that it trusts nobody.
Result<> AddSystemRoots(SSL_CTX* context, const SystemRoots& roots) {
  auto path_or_null = [](const std::string& path) { return path.empty() ? nullptr : path.c_str(); };
  if (roots.file.empty() && roots.directory.empty()) return {};
  if (SSL_CTX_load_verify_locations(context, path_or_null(roots.file),
                                    path_or_null(roots.directory)) == 1) {
    return {};
  }
  return Fail(
      Error(ErrorCode::kInvalid, Cat("the system's certificate authorities (", roots.file,
                                     roots.file.empty() || roots.directory.empty() ? "" : ", ",
                                     roots.directory, ") cannot be read: ", TakeReason()))
          .WithHint("SSL_CERT_FILE and SSL_CERT_DIR say where they are"));
}

Result<> AddClientCertificate(SSL_CTX* context, const TlsOptions& options) {
  BioPtr chain = MemoryBio(options.certificate_pem);
  CertificatePtr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Fail(ErrorCode::kInvalid, Cat("the client certificate is not PEM: ", TakeReason()));
  }
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add_extra_chain_cert(context, next);  // takes it over
  }
  ERR_clear_error();
  BioPtr bio = MemoryBio(options.key_pem.Reveal());
  // Without a password callback OpenSSL would ask on the terminal.
  auto no_password = [](char*, int, int, void*) { return 0; };
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    return Fail(ErrorCode::kInvalid,
                Cat("the client key is not an unencrypted PEM key: ", TakeReason()));
  }
  // A key of another kind than the certificate's is taken by the first call without a word.
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Fail(ErrorCode::kInvalid,
                Cat("client certificate and key do not belong together: ", TakeReason()));
  }
  return {};
}

/// The DNS names and addresses that a certificate is for.
std::string NamesOf(X509* certificate) {
  std::vector<std::string> names;
  auto* entries = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(entries); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(entries, i);
    if (entry->type == GEN_DNS) {
      const ASN1_STRING* text = entry->d.dNSName;
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(ASN1_STRING_length(text)));
    } else if (entry->type == GEN_IPADD) {
      const ASN1_STRING* bytes = entry->d.iPAddress;
      if (ASN1_STRING_length(bytes) != 4) continue;
      const unsigned char* part = ASN1_STRING_get0_data(bytes);
      names.push_back(Cat(int{part[0]}, '.', int{part[1]}, '.', int{part[2]}, '.', int{part[3]}));
    }
  }
  GENERAL_NAMES_free(entries);
  return names.empty() ? "no host" : Printable(Join(names, ", "));
}

/// Notes the names of a certificate that is refused for its name: after the handshake has failed it
/// is gone.
int OnVerify(int accepted, X509_STORE_CTX* store) {
  int error = X509_STORE_CTX_get_error(store);
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* names = static_cast<std::string*>(SSL_get_app_data(ssl));
    X509* certificate = X509_STORE_CTX_get_current_cert(store);
    if (names != nullptr && certificate != nullptr) *names = NamesOf(certificate);
  }
  return accepted;
}

Result<ContextPtr> MakeContext(const TlsOptions& options) {
  // OpenSSL takes names as C strings, and an empty one for "do not check the name".
  if (options.server_name.empty() || options.server_name.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalid,
                Cat("TLS: \"", Printable(options.server_name), "\" is not a server name"));
  }
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Fail(ErrorCode::kInternal, Cat("start TLS: ", TakeReason()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context.get(), 128 << 10);
  SSL_CTX_set_verify(context.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, OnVerify);
  if (!options.ca_pem.empty()) {
    TRY(AddRoots(context.get(), options.ca_pem));
  } else if (options.verify) {
    TRY(AddSystemRoots(context.get(), options.system_roots));
  }
  if (!options.certificate_pem.empty()) TRY(AddClientCertificate(context.get(), options));
  return context;
}

Error VerifyError(SSL* ssl, const TlsOptions& options) {
  long result = SSL_get_verify_result(ssl);
  if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    return Error(ErrorCode::kDenied,
                 Cat("TLS: the certificate is not for ", options.server_name, " but for ",
                     *static_cast<std::string*>(SSL_get_app_data(ssl))))
        .WithHint("name the server as its certificate does (servername)");
  }
  std::string reason = LowerAscii(X509_verify_cert_error_string(result));
  if (result == X509_V_ERR_CERT_HAS_EXPIRED || result == X509_V_ERR_CERT_NOT_YET_VALID) {
    return Error(ErrorCode::kDenied,
                 Cat("TLS: the server's certificate is not valid now: ", reason))
        .WithHint("renew the certificate, or check this machine's clock");
  }
  return Error(ErrorCode::kDenied,
               Cat("TLS: the server's certificate is signed by an unknown authority: ", reason))
      .WithHint(options.ca_pem.empty() ? "give the CA that signed it (cacert)"
                                       : "the given CA (cacert) did not sign it");
}

/// What a failed OpenSSL call means; the error queue is taken.
Error TlsError(SSL* ssl, const TlsOptions& options) {
  unsigned long code = ERR_peek_last_error();
  int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    switch (reason) {
      case SSL_R_CERTIFICATE_VERIFY_FAILED: {
        ERR_clear_error();
        return VerifyError(ssl, options);
      }
      case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
        return Error(ErrorCode::kDenied,
                     Cat("TLS: the server refused our client certificate: ", TakeReason()))
            .WithHint("use a client certificate that the server's CA has signed (cert, key)");
      case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        if (options.certificate_pem.empty()) {
          ERR_clear_error();
          return Error(ErrorCode::kDenied, "TLS: the server asks for a client certificate")
              .WithHint("give one (cert and key)");
        }
        return Error(ErrorCode::kDenied,
                     Cat("TLS: the server refused the handshake: ", TakeReason()));
      case SSL_R_WRONG_VERSION_NUMBER:
      case SSL_R_HTTP_REQUEST:
      case SSL_R_PACKET_LENGTH_TOO_LONG:
      case SSL_R_UNEXPECTED_MESSAGE:
        ERR_clear_error();
        return Error(ErrorCode::kDenied, "TLS: the server does not speak TLS on this port")
            .WithHint("leave the TLS options out, or check the port");
      default:
        break;
    }
  }
  return Error(ErrorCode::kDenied, Cat("TLS: ", TakeReason()));
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(Fd socket, ContextPtr context, SslPtr ssl, TlsOptions options)
      : socket_(std::move(socket)),
        context_(std::move(context)),
        ssl_(std::move(ssl)),
        options_(std::move(options)) {
    SSL_set_app_data(ssl_.get(), &names_);
  }

  Result<> Handshake(const Cancel& cancel) {
    while (true) {
      ERR_clear_error();
      int done = SSL_connect(ssl_.get());
      if (done == 1) return {};
      int saved_errno = errno;
      int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        TRY(WaitForFd(socket_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, cancel));
      } else if (error == SSL_ERROR_SSL) {
        return Fail(TlsError(ssl_.get(), options_));
      } else if (error == SSL_ERROR_SYSCALL && saved_errno != 0) {
        return Fail(SystemError("TLS handshake", saved_errno));
      } else {
        return Fail(
            Error(ErrorCode::kUnavailable, "TLS handshake: the server closed the connection")
                .WithHint("does the server speak TLS on this port?"));
      }
    }
  }

  /// After the handshake: without a buffer OpenSSL makes a system call for every record.
  void GatherRecords() {
    constexpr long kGathered = 128 << 10;
    BIO* gather = BIO_new(BIO_f_buffer());
    BIO* below = SSL_get_wbio(ssl_.get());
    BIO_set_write_buffer_size(gather, kGathered);
    BIO_up_ref(below);
    SSL_set0_wbio(ssl_.get(), BIO_push(gather, below));
  }

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    while (true) {
      int saved_errno = 0;
      int error = SSL_ERROR_NONE;
      {
        std::lock_guard lock(mutex_);
        std::size_t got = ReadArrived(into, capacity, error, saved_errno);
        if (got > 0) return got;
        if (error == SSL_ERROR_SSL) return Fail(TlsError(ssl_.get(), options_));
      }
      if (error == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
      if (error == SSL_ERROR_SYSCALL) {
        if (saved_errno == 0) return std::size_t{0};
        return Fail(SystemError("read", saved_errno));
      }
      TRY(WaitForFd(socket_.get(), error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN, cancel));
    }
  }

  Result<> Write(const BytesList& pieces, const Cancel& cancel) override {
    // Records are filled up across pieces: a TLS record for every 9-byte frame header would cost
    // more than the copy.
    constexpr std::size_t kRecord = 16 << 10;
    staging_.clear();
    for (const Bytes& piece : pieces) {
      std::string_view rest = piece.view();
      while (!rest.empty()) {
        std::size_t room = kRecord - staging_.size();
        staging_.append(rest.substr(0, room));
        rest.remove_prefix(std::min(room, rest.size()));
        if (staging_.size() == kRecord) TRY(WriteStaging(cancel));
      }
    }
    TRY(WriteStaging(cancel));
    return Put([this] { return BIO_flush(SSL_get_wbio(ssl_.get())); }, cancel);
  }

  void Close() override { ::shutdown(socket_.get(), SHUT_RDWR); }

 private:
  /// What has arrived already: OpenSSL gives one record a call. `error` says why there is no more.
  std::size_t ReadArrived(char* into, std::size_t capacity, int& error, int& saved_errno) {
    std::size_t got = 0;
    ERR_clear_error();
    while (got < capacity) {
      std::size_t part = 0;
      int done = SSL_read_ex(ssl_.get(), into + got, capacity - got, &part);
      saved_errno = errno;
      if (done != 1) {
        error = SSL_get_error(ssl_.get(), done);
        break;
      }
      got += part;
    }
    return got;
  }

  Result<> WriteStaging(const Cancel& cancel) {
    std::string_view rest = staging_;
    while (!rest.empty()) {
      std::size_t put = 0;
      TRY(Put([&] { return SSL_write_ex(ssl_.get(), rest.data(), rest.size(), &put); }, cancel));
      rest.remove_prefix(put);
    }
    staging_.clear();
    return {};
  }

  /// Repeats `step`, which returns 1 when it is through, whenever the socket is ready again.
  template <typename Step>
  Result<> Put(Step step, const Cancel& cancel) {
    while (true) {
      int error = SSL_ERROR_NONE;
      int saved_errno = 0;
      {
        std::lock_guard lock(mutex_);
        ERR_clear_error();
        int done = step();
        saved_errno = errno;
        if (done == 1) return {};
        // OpenSSL does not know that a flush of ours has to go on.
        error = BIO_should_write(SSL_get_wbio(ssl_.get())) ? SSL_ERROR_WANT_WRITE
                                                           : SSL_get_error(ssl_.get(), done);
        if (error == SSL_ERROR_SSL) return Fail(TlsError(ssl_.get(), options_));
      }
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        TRY(WaitForFd(socket_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, cancel));
      } else {
        return Fail(SystemError("write", saved_errno != 0 ? saved_errno : EPIPE));
      }
    }
  }

  Fd socket_;
  ContextPtr context_;
  SslPtr ssl_;
  TlsOptions options_;
  std::string names_ = "another name";  // of a certificate refused for its name
  std::mutex mutex_;                    // guards ssl_
  std::string staging_;                 // the writer's
};

}  // namespace

Result<> CheckTlsOptions(const TlsOptions& options) {
  TRY_ASSIGN(ContextPtr context, MakeContext(options));
  return {};
}

Result<std::unique_ptr<ByteStream>> StartTls(Fd socket,
                                             const TlsOptions& options,
                                             const Cancel& cancel) {
  TRY_ASSIGN(ContextPtr context, MakeContext(options));
  SslPtr ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), socket.get());
  if (IsIpAddress(options.server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), options.server_name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), options.server_name.c_str());
    SSL_set1_host(ssl.get(), options.server_name.c_str());
  }
  if (!options.alpn.empty()) {
    std::string wire = Cat(static_cast<char>(options.alpn.size()), options.alpn);
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned>(wire.size()));
  }
  auto stream =
      std::make_unique<TlsStream>(std::move(socket), std::move(context), std::move(ssl), options);
  TRY(stream->Handshake(cancel));
  stream->GatherRecords();
  return stream;
}

}  // namespace depot::rpc
