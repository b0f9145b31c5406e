#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "pool/identity/pass.h"

namespace depot::identity {

/// A client certificate with its key, PEM.
struct IssuedCertificate {
  std::string certificate_pem;
  Secret key_pem;
};

/// A certificate authority of the pool. There is one for the certificates of servers, and one for
/// each builder, which signs whom that builder lets in. Safe to use from several threads.
class CertificateAuthority {
 public:
  virtual ~CertificateAuthority() = default;

  /// The CA's certificate, PEM.
  virtual const std::string& certificate_pem() const = 0;

  /// A fresh P-256 key and a certificate for TLS clients alone that says `pass` (as URI names),
  /// valid from five minutes ago until `lifetime` from now, with a random serial number.
  virtual Result<IssuedCertificate> Issue(const Pass& pass, std::chrono::seconds lifetime) = 0;
};

/// Opens DIRECTORY/ca.pem and ca-key.pem, or makes them (P-256, ten years, path length 0) when
/// neither is there; the key has mode 0600, and one that others can read is refused, but for one of
/// root's that this process may read by its own group alone.
Result<std::unique_ptr<CertificateAuthority>> OpenAuthority(const std::string& directory);

/// The authority of one builder, in STATE/builders/BUILDER, in the same way. A builder that trusts
/// it alone as client CA lets in only whom the pool has given a certificate for this very builder.
Result<std::unique_ptr<CertificateAuthority>> OpenBuilderAuthority(const std::string& state,
                                                                   const std::string& builder);

/// The authorities of all builders, each opened with its first use and kept from then on. Safe to
/// use from several threads.
class BuilderAuthorities {
 public:
  explicit BuilderAuthorities(std::string state) : state_(std::move(state)) {}

  Result<std::shared_ptr<CertificateAuthority>> Of(const std::string& builder);

  /// Takes up those whose files have been replaced; one that cannot be used changes nothing, and
  /// no new one is made for files that are missing. Lines for people about both, each once.
  std::vector<std::string> Renew();

 private:
  struct Opened {
    std::shared_ptr<CertificateAuthority> authority;
    std::string stamp;  ///< of its files
  };

  const std::string state_;
  std::mutex mutex_;
  std::map<std::string, Opened> open_;
};

/// A server certificate for `names` (DNS names or IP addresses) signed by the CA in DIRECTORY, for
/// pools and builders without a certificate of their own; valid for `lifetime`.
Result<IssuedCertificate> IssueServerCertificate(const std::string& directory,
                                                 const std::vector<std::string>& names,
                                                 std::chrono::seconds lifetime);

}  // namespace depot::identity
