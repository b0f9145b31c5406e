#include <mutex>
#include <vector>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "driver/base/openssl.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/rpc/dial.h"

// TLS on a stream of bytes. OpenSSL's SSL object may be used by one thread at a time, so reader and
// writer share a mutex: it is held for the work on one record, never while the stream below reads
// or writes.

namespace depot::rpc {
namespace {

bool IsIpAddress(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

Result<> AddRoots(SSL_CTX* context, const std::string& pem) {
  OpenSslPtr<BIO> bio = MemoryBio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (OpenSslPtr<X509> certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
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
                                     roots.directory, ") cannot be read: ", TakeOpenSslReason()))
          .WithHint("SSL_CERT_FILE and SSL_CERT_DIR say where they are"));
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

Result<OpenSslPtr<SSL_CTX>> MakeContext(const TlsOptions& options) {
  // OpenSSL takes names as C strings, and an empty one for "do not check the name".
  const std::string shown = Printable(options.server_name);
  if (shown.empty() || shown != options.server_name || shown.find(' ') != std::string::npos) {
    return Fail(ErrorCode::kInvalid, Cat("TLS: \"", shown, "\" is not a server name"));
  }
  OpenSslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Fail(ErrorCode::kInternal, Cat("start TLS: ", TakeOpenSslReason()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context.get(), 128 << 10);
  SSL_CTX_set_verify(context.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, OnVerify);
  if (!options.ca_pem.empty()) {
    TRY(AddRoots(context.get(), options.ca_pem));
  } else if (options.verify) {
    TRY(AddSystemRoots(context.get(), options.system_roots));
  }
  if (!options.certificate_pem.empty()) {
    TRY(UseIdentity(context.get(), "client", options.certificate_pem, options.key_pem));
  }
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
      .WithHint(options.ca_pem.empty() ? Cat("give the CA that signed it (cacert), or: ",
                                             RootsHint(options.system_roots))
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
                     Cat("TLS: the server refused our client certificate: ", TakeOpenSslReason()))
            .WithHint("use a client certificate that the server's CA has signed (cert, key)");
      case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        if (options.certificate_pem.empty()) {
          ERR_clear_error();
          return Error(ErrorCode::kDenied, "TLS: the server asks for a client certificate")
              .WithHint("give one (cert and key)");
        }
        return Error(ErrorCode::kDenied,
                     Cat("TLS: the server refused the handshake: ", TakeOpenSslReason()));
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
  return Error(ErrorCode::kDenied, Cat("TLS: ", TakeOpenSslReason()));
}

/// The two ends of a connection as OpenSSL sees them: it never touches the stream below itself, so
/// that what is slow happens outside of its lock.
struct Wire {
  std::string_view arrived;  ///< not taken by OpenSSL yet
  std::string sealed;        ///< not sent yet
};

int ReadWire(BIO* bio, char* into, std::size_t capacity, std::size_t* got) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.arrived.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *got = wire.arrived.copy(into, capacity);
  wire.arrived.remove_prefix(*got);
  return 1;
}

int WriteWire(BIO* bio, const char* bytes, std::size_t size, std::size_t* put) {
  static_cast<Wire*>(BIO_get_data(bio))->sealed.append(bytes, size);
  *put = size;
  return 1;
}

long ControlWire(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

OpenSslPtr<BIO> MakeWireBio(Wire& wire) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    BIO_meth_set_read_ex(made, ReadWire);
    BIO_meth_set_write_ex(made, WriteWire);
    BIO_meth_set_ctrl(made, ControlWire);
    return made;
  }();
  OpenSslPtr<BIO> bio(BIO_new(method));
  BIO_set_data(bio.get(), &wire);
  BIO_set_init(bio.get(), 1);
  return bio;
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(std::unique_ptr<ByteStream> stream,
            OpenSslPtr<SSL_CTX> context,
            OpenSslPtr<SSL> ssl,
            TlsOptions options)
      : stream_(std::move(stream)),
        context_(std::move(context)),
        ssl_(std::move(ssl)),
        options_(std::move(options)),
        incoming_(kGathered, '\0') {
    SSL_set_app_data(ssl_.get(), &names_);
    BIO* bio = MakeWireBio(wire_).release();
    SSL_set_bio(ssl_.get(), bio, bio);  // takes it over
  }

  Result<> Handshake(const Cancel& cancel) {
    while (true) {
      ERR_clear_error();
      int done = SSL_connect(ssl_.get());
      int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_SSL) {
        Error failure = TlsError(ssl_.get(), options_);
        (void)SendSealed(cancel);  // the alert that tells the server why
        return Fail(std::move(failure));
      }
      if (Result<> sent = SendSealed(cancel); !sent) return InHandshake(sent.error(), cancel);
      if (done == 1) return {};
      Result<bool> more = Receive(cancel);
      if (!more) return InHandshake(more.error(), cancel);
      if (!*more) {
        return Fail(
            Error(ErrorCode::kUnavailable, "TLS handshake: the server closed the connection")
                .WithHint("does the server speak TLS on this port?"));
      }
    }
  }

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    while (true) {
      {
        std::lock_guard lock(mutex_);
        int error = SSL_ERROR_NONE;
        std::size_t got = ReadArrived(into, capacity, error);
        if (got > 0 || error == SSL_ERROR_ZERO_RETURN) return got;
        if (error != SSL_ERROR_WANT_READ) return Fail(TlsError(ssl_.get(), options_));
      }
      TRY_ASSIGN(bool more, Receive(cancel));
      if (!more) return std::size_t{0};
    }
  }

  Result<> Write(const BytesList& pieces, const Cancel& cancel) override {
    staging_.clear();
    for (const Bytes& piece : pieces)
      TRY(SealRecords(piece.view(), cancel));
    if (!staging_.empty()) TRY(Seal(staging_, cancel));
    return SendSealed(cancel);
  }

  void Close() override { stream_->Close(); }

  void Outlast(std::chrono::seconds silence) override { stream_->Outlast(silence); }

 private:
  static constexpr std::size_t kRecord = 16 << 10;
  static constexpr std::size_t kGathered = 128 << 10;  // bytes for one read or write below

  /// What has arrived already: OpenSSL gives one record a call. `error` says why there is no more.
  std::size_t ReadArrived(char* into, std::size_t capacity, int& error) {
    std::size_t got = 0;
    ERR_clear_error();
    while (got < capacity) {
      std::size_t part = 0;
      int done = SSL_read_ex(ssl_.get(), into + got, capacity - got, &part);
      if (done != 1) {
        error = SSL_get_error(ssl_.get(), done);
        break;
      }
      got += part;
    }
    return got;
  }

  /// A failure of the stream below; that the user said stop needs no more words.
  static Result<> InHandshake(Error error, const Cancel& cancel) {
    if (cancel.cancelled()) return Fail(std::move(error));
    return Fail(std::move(error).While("TLS handshake"));
  }

  /// Waits for bytes from below; OpenSSL has taken all of the last ones. False = the end.
  Result<bool> Receive(const Cancel& cancel) {
    TRY_ASSIGN(std::size_t got, stream_->Read(incoming_.data(), incoming_.size(), cancel));
    std::lock_guard lock(mutex_);
    wire_.arrived = std::string_view(incoming_).substr(0, got);
    return got > 0;
  }

  /// Records are filled up across pieces: a TLS record for every 9-byte frame header would cost
  /// more than the copy. What is left over stays in staging_.
  Result<> SealRecords(std::string_view rest, const Cancel& cancel) {
    while (!rest.empty()) {
      std::string_view record = rest.substr(0, kRecord - staging_.size());
      rest.remove_prefix(record.size());
      if (record.size() < kRecord) record = staging_.append(record);
      if (record.size() < kRecord) return {};
      TRY(Seal(record, cancel));
      staging_.clear();
    }
    return {};
  }

  /// At most one record.
  Result<> Seal(std::string_view bytes, const Cancel& cancel) {
    std::size_t gathered = 0;
    {
      std::lock_guard lock(mutex_);
      ERR_clear_error();
      std::size_t put = 0;
      if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &put) != 1) {
        return Fail(TlsError(ssl_.get(), options_));
      }
      gathered = wire_.sealed.size();
    }
    return gathered < kGathered ? Result<>() : SendSealed(cancel);
  }

  /// The writer's. What reading has to answer to (a key update) goes out with the next bytes.
  Result<> SendSealed(const Cancel& cancel) {
    sending_.clear();
    {
      std::lock_guard lock(mutex_);
      sending_.swap(wire_.sealed);
    }
    if (sending_.empty()) return {};
    return stream_->Write({Bytes(nullptr, sending_)}, cancel);
  }

  std::unique_ptr<ByteStream> stream_;
  OpenSslPtr<SSL_CTX> context_;
  OpenSslPtr<SSL> ssl_;
  TlsOptions options_;
  std::string names_ = "another name";  // of a certificate refused for its name
  std::mutex mutex_;                    // guards ssl_ and wire_
  Wire wire_;
  std::string incoming_;  // the reader's
  std::string staging_;   // the writer's
  std::string sending_;   // the writer's
};

}  // namespace

Result<> CheckTlsOptions(const TlsOptions& options) {
  TRY_ASSIGN(OpenSslPtr<SSL_CTX> context, MakeContext(options));
  return {};
}

Result<std::unique_ptr<ByteStream>> StartTls(std::unique_ptr<ByteStream> stream,
                                             const TlsOptions& options,
                                             const Cancel& cancel) {
  TRY_ASSIGN(OpenSslPtr<SSL_CTX> context, MakeContext(options));
  OpenSslPtr<SSL> ssl(SSL_new(context.get()));
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
  auto tls =
      std::make_unique<TlsStream>(std::move(stream), std::move(context), std::move(ssl), options);
  TRY(tls->Handshake(cancel));
  return tls;
}

}  // namespace depot::rpc
