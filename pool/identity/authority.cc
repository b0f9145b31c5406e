#include "pool/identity/authority.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/openssl.h"
#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "pool/settings/durable_file.h"

namespace depot::identity {
namespace {

constexpr std::size_t kMaxPem = 1 << 20;
constexpr std::size_t kMaxCommonName = 64;  // X.520, ub-common-name
constexpr std::size_t kMaxDnsName = 253;
constexpr std::size_t kSerialBytes = 16;
constexpr std::chrono::seconds kClockSkew = std::chrono::minutes(5);
constexpr std::chrono::seconds kAuthorityLife = std::chrono::days(3652);
constexpr std::chrono::seconds kLockWait{10};
constexpr const char* kCertificateFile = "/ca.pem";
constexpr const char* kBuilders = "/builders";
constexpr const char* kKeyFile = "/ca-key.pem";

/// A certificate before it is signed.
struct Profile {
  std::string common_name;
  std::chrono::seconds lifetime{};
  std::vector<std::pair<int, std::string>> extensions;  // NID, OpenSSL's text form (x509v3_config)
};

OpenSslPtr<EVP_PKEY> NewKey() {
  return OpenSslPtr<EVP_PKEY>(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
}

bool SetSerial(X509* certificate) {
  std::string bytes = RandomBytes(kSerialBytes);
  // Positive, and never zero (RFC 5280 section 4.1.2.2).
  bytes[0] = static_cast<char>((bytes[0] & 0x7F) | 0x40);
  const OpenSslPtr<BIGNUM> serial(
      BN_bin2bn(Octets(bytes), static_cast<int>(bytes.size()), nullptr));
  return serial && BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetLife(X509* certificate, X509* issuer, std::chrono::seconds lifetime) {
  const std::time_t now = std::time(nullptr);
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), now - kClockSkew.count()) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate), now + lifetime.count()) == nullptr) {
    return false;
  }
  // Nothing that the authority signed outlives it.
  const ASN1_TIME* end = X509_get0_notAfter(issuer);
  return issuer == certificate || ASN1_TIME_compare(X509_get0_notAfter(certificate), end) <= 0 ||
         X509_set1_notAfter(certificate, end) == 1;
}

bool AddExtensions(X509* certificate, X509* issuer, const Profile& profile) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  return std::all_of(
      profile.extensions.begin(), profile.extensions.end(), [&](const auto& extension) {
        const OpenSslPtr<X509_EXTENSION> made(
            X509V3_EXT_conf_nid(nullptr, &context, extension.first, extension.second.c_str()));
        return made && X509_add_ext(certificate, made.get(), -1) == 1;
      });
}

/// A certificate for `key`; `issuer` is nullptr when it signs itself. nullptr when OpenSSL fails.
OpenSslPtr<X509> Sign(const Profile& profile, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  OpenSslPtr<X509> certificate(X509_new());
  if (!certificate) return nullptr;
  X509* by = issuer == nullptr ? certificate.get() : issuer;
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>(profile.common_name.c_str());
  const bool done =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 && SetSerial(certificate.get()) &&
      X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(by)) == 1 &&
      SetLife(certificate.get(), by, profile.lifetime) &&
      X509_set_pubkey(certificate.get(), key) == 1 &&
      AddExtensions(certificate.get(), by, profile) &&
      X509_sign(certificate.get(), issuer_key, EVP_sha256()) > 0;
  return done ? std::move(certificate) : nullptr;
}

std::string Content(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : "";
}

std::string CertificatePem(X509* certificate) {
  const OpenSslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  return bio && PEM_write_bio_X509(bio.get(), certificate) == 1 ? Content(bio.get()) : "";
}

/// PKCS #8; the buffer is wiped.
Secret KeyPem(EVP_PKEY* key) {
  const OpenSslPtr<BIO> bio(BIO_new(BIO_s_secmem()));
  if (!bio ||
      PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return {};
  }
  return Secret(Content(bio.get()));
}

bool HasNameCharactersAlone(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool IsDnsName(std::string_view name) {
  return name.size() <= kMaxDnsName &&
         HasNameCharactersAlone(name.starts_with("*.") ? name.substr(2) : name);
}

bool IsAddress(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return address != nullptr;
}

class FileAuthority final : public CertificateAuthority {
 public:
  FileAuthority(OpenSslPtr<X509> certificate, OpenSslPtr<EVP_PKEY> key, std::string pem)
      : certificate_(std::move(certificate)), key_(std::move(key)), pem_(std::move(pem)) {}

  const std::string& certificate_pem() const override { return pem_; }

  Result<IssuedCertificate> Issue(const Pass& pass, std::chrono::seconds lifetime) override {
    TRY_ASSIGN(const std::string names, WritePass(pass));
    return IssueLeaf({pass.build.empty() ? pass.project : pass.build,
                      lifetime,
                      {{NID_ext_key_usage, "clientAuth"}, {NID_subject_alt_name, names}}});
  }

  /// Adds to the profile what all certificates have that are no authorities.
  Result<IssuedCertificate> IssueLeaf(Profile profile) const {
    if (profile.lifetime <= std::chrono::seconds(0)) {
      return Fail(ErrorCode::kInvalid, "a certificate must be valid for a second at least");
    }
    profile.extensions.insert(profile.extensions.end(),
                              {{NID_basic_constraints, "critical,CA:FALSE"},
                               {NID_key_usage, "critical,digitalSignature"},
                               {NID_subject_key_identifier, "hash"},
                               {NID_authority_key_identifier, "keyid"}});
    const OpenSslPtr<EVP_PKEY> key = NewKey();
    const OpenSslPtr<X509> certificate =
        key ? Sign(profile, key.get(), certificate_.get(), key_.get()) : nullptr;
    if (!certificate) {
      return Fail(ErrorCode::kInternal, Cat("cannot make a certificate: ", TakeOpenSslReason()));
    }
    IssuedCertificate issued{CertificatePem(certificate.get()), KeyPem(key.get())};
    if (issued.certificate_pem.empty() || issued.key_pem.empty()) {
      return Fail(ErrorCode::kInternal, Cat("cannot write a certificate: ", TakeOpenSslReason()));
    }
    return issued;
  }

 private:
  OpenSslPtr<X509> certificate_;
  OpenSslPtr<EVP_PKEY> key_;
  std::string pem_;
};

Result<> CheckKeyMode(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return Fail(SystemError(Cat("open ", Printable(path)), errno));
  if ((st.st_mode & 077) == 0) return {};
  // Kubernetes gives a secret to the group of its pod alone (fsGroup), never to a user.
  const bool given = st.st_uid == 0 && geteuid() != 0 && st.st_gid == getegid();
  if (given && (st.st_mode & 037) == 0) return {};
  return Fail(Error(ErrorCode::kDenied, Cat(Printable(path),
                                            " can be read by others: whoever has this key can sign "
                                            "certificates that builders trust"))
                  .WithHint(Cat("chmod 600 ", Printable(path), ", or make a new authority")));
}

Result<std::unique_ptr<FileAuthority>> Load(const std::string& certificate_path,
                                            const std::string& key_path) {
  TRY(CheckKeyMode(key_path));
  TRY_ASSIGN(std::string pem, disk::ReadWholeFile(certificate_path, kMaxPem, Cancel::Never()));
  TRY_ASSIGN(std::string key_text, disk::ReadWholeFile(key_path, kMaxPem, Cancel::Never()));
  const Secret key_pem(std::move(key_text));
  const OpenSslPtr<BIO> certificate_bio = MemoryBio(pem);
  OpenSslPtr<X509> certificate(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  if (!certificate || X509_check_ca(certificate.get()) != 1) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalid,
                Cat(Printable(certificate_path), " is not the PEM certificate of an authority"));
  }
  OpenSslPtr<EVP_PKEY> key = ReadPrivateKey(key_pem);
  if (!key || X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalid,
                Cat(Printable(key_path), " is not the unencrypted PEM key of the certificate in ",
                    Printable(certificate_path)));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) <= 0) {
    return Fail(Error(ErrorCode::kInvalid, Cat(Printable(certificate_path), " has expired"))
                    .WithHint("move it and its key away: the pool makes new ones, whose "
                              "certificate the builders then need"));
  }
  return std::make_unique<FileAuthority>(std::move(certificate), std::move(key), std::move(pem));
}

Result<> Make(const std::string& certificate_path,
              const std::string& key_path,
              uid_t user,
              gid_t group) {
  const OpenSslPtr<EVP_PKEY> key = NewKey();
  // The name differs between authorities, so that one bundle can hold several.
  const Profile profile{Cat("depot-pool ", Hex(RandomBytes(4))),
                        kAuthorityLife,
                        {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                         {NID_key_usage, "critical,keyCertSign,cRLSign"},
                         {NID_subject_key_identifier, "hash"}}};
  const OpenSslPtr<X509> certificate = key ? Sign(profile, key.get(), nullptr, key.get()) : nullptr;
  const std::string pem = certificate ? CertificatePem(certificate.get()) : "";
  const Secret key_pem = key ? KeyPem(key.get()) : Secret();
  if (pem.empty() || key_pem.empty()) {
    return Fail(ErrorCode::kInternal, Cat("cannot make an authority: ", TakeOpenSslReason()));
  }
  TRY(settings::ReplaceFile(key_path, key_pem.Reveal(), {0600, user, group}));
  return settings::ReplaceFile(certificate_path, pem, {0644, user, group});
}

bool Exists(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0;
}

Result<std::unique_ptr<FileAuthority>> LoadOrMake(const std::string& directory) {
  const std::string certificate_path = directory + kCertificateFile;
  const std::string key_path = directory + kKeyFile;
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(SystemError(Cat("make the directory ", Printable(directory)), errno));
  }
  const Cancel wait = Cancel::Never().WithTimeout(
      kLockWait, Cat("another program makes the authority in ", Printable(directory)));
  struct stat st {};
  if (stat(directory.c_str(), &st) != 0) {
    return Fail(SystemError(Cat("open the directory ", Printable(directory)), errno));
  }
  TRY_ASSIGN(const Fd lock, settings::LockDirectory(directory, wait));
  const bool has_certificate = Exists(certificate_path);
  const bool has_key = Exists(key_path);
  if (has_certificate != has_key) {
    const std::string& lone = has_key ? key_path : certificate_path;
    return Fail(Error(ErrorCode::kInvalid, Cat(Printable(lone), " is there, but not ",
                                               Printable(has_key ? certificate_path : key_path)))
                    .WithHint("restore it from a backup, or move the other away for a new "
                              "authority, whose certificate the builders then need"));
  }
  // What root makes in the directory of the pool's user is that user's.
  const bool root = geteuid() == 0;
  if (!has_key) {
    TRY(Make(certificate_path, key_path, root ? st.st_uid : geteuid(),
             root ? st.st_gid : getegid()));
  }
  return Load(certificate_path, key_path);
}

std::string DirectoryOf(const std::string& state, const std::string& builder) {
  return Cat(state, kBuilders, '/', builder);
}

/// Of an authority's files; "" when there are none.
std::string StampOf(const std::string& directory) {
  return settings::FileStamp(directory + kCertificateFile) +
         settings::FileStamp(directory + kKeyFile);
}

/// What root makes in a directory of the pool's user is that user's.
Result<> MakeDirectoryIn(const std::string& parent, const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    return Fail(SystemError(Cat("make the directory ", Printable(directory)), errno));
  }
  struct stat st {};
  if (geteuid() == 0 &&
      (stat(parent.c_str(), &st) != 0 || chown(directory.c_str(), st.st_uid, st.st_gid) != 0)) {
    return Fail(SystemError(Cat("give away ", Printable(directory)), errno));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<CertificateAuthority>> OpenAuthority(const std::string& directory) {
  TRY_ASSIGN(std::unique_ptr<FileAuthority> authority, LoadOrMake(directory));
  return authority;
}

Result<std::unique_ptr<CertificateAuthority>> OpenBuilderAuthority(const std::string& state,
                                                                   const std::string& builder) {
  if (!IsPassName(builder)) {
    return Fail(ErrorCode::kInvalid, Cat("a builder cannot be called \"", Printable(builder), '"'));
  }
  const std::string builders = Cat(state, kBuilders);
  const std::string directory = DirectoryOf(state, builder);
  TRY(MakeDirectoryIn(state, builders));
  TRY(MakeDirectoryIn(builders, directory));
  return OpenAuthority(directory);
}

Result<std::shared_ptr<CertificateAuthority>> BuilderAuthorities::Of(const std::string& builder) {
  {
    std::lock_guard lock(mutex_);
    const auto known = open_.find(builder);
    if (known != open_.end()) return known->second.authority;
  }
  // Before they are read, so that a change in between is seen.
  std::string stamp = StampOf(DirectoryOf(state_, builder));
  TRY_ASSIGN(auto authority, OpenBuilderAuthority(state_, builder));
  if (stamp.empty()) stamp = StampOf(DirectoryOf(state_, builder));
  std::lock_guard lock(mutex_);
  return open_.try_emplace(builder, Opened{std::move(authority), stamp}).first->second.authority;
}

std::vector<std::string> BuilderAuthorities::Renew() {
  std::map<std::string, std::string> stamps;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [builder, opened] : open_)
      stamps[builder] = opened.stamp;
  }
  std::vector<std::string> lines;
  for (const auto& [builder, stamp] : stamps) {
    const std::string directory = DirectoryOf(state_, builder);
    std::string fresh = StampOf(directory);
    if (fresh == stamp) continue;
    auto loaded = Load(directory + kCertificateFile, directory + kKeyFile);
    lines.push_back(
        Cat("the changed authority of builder ", builder,
            loaded ? " signs from now on"
                   : Cat(" is not used, the one from before stays: ", loaded.error().message())));
    std::lock_guard lock(mutex_);
    Opened& opened = open_.at(builder);
    opened.stamp = std::move(fresh);
    if (loaded) opened.authority = *std::move(loaded);
  }
  return lines;
}

Result<IssuedCertificate> IssueServerCertificate(const std::string& directory,
                                                 const std::vector<std::string>& names,
                                                 std::chrono::seconds lifetime) {
  if (names.empty()) return Fail(ErrorCode::kInvalid, "a server certificate needs a name");
  std::vector<std::string> entries;
  for (const std::string& name : names) {
    const bool address = IsAddress(name);
    if (!address && !IsDnsName(name)) {
      return Fail(ErrorCode::kInvalid,
                  Cat('"', Printable(name), "\" is neither a DNS name nor an IP address"));
    }
    entries.push_back(Cat(address ? "IP:" : "DNS:", name));
  }
  TRY_ASSIGN(const std::unique_ptr<FileAuthority> authority, LoadOrMake(directory));
  const std::string common_name =
      names[0].size() <= kMaxCommonName ? names[0] : "depot-pool server";
  return authority->IssueLeaf(
      {common_name,
       lifetime,
       {{NID_ext_key_usage, "serverAuth"}, {NID_subject_alt_name, Join(entries, ",")}}});
}

}  // namespace depot::identity
