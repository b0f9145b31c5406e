#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"

namespace depot::identity {

/// A client certificate with its key, PEM.
struct IssuedCertificate {
  std::string certificate_pem;
  Secret key_pem;
};

/// The pool's own certificate authority, which builders trust: it signs a client certificate for
/// each build. Safe to use from several threads.
class CertificateAuthority {
 public:
  virtual ~CertificateAuthority() = default;

  /// The CA's certificate, PEM: what builders are given as client CA.
  virtual const std::string& certificate_pem() const = 0;

  /// A fresh P-256 key and a certificate for TLS clients alone (CN and a URI name say which build),
  /// valid from five minutes ago for `lifetime`, with a random serial number.
  virtual Result<IssuedCertificate> Issue(const std::string& build,
                                          std::chrono::seconds lifetime) = 0;
};

/// Opens DIRECTORY/ca.pem and ca-key.pem, or makes them (P-256, ten years, path length 0) when
/// neither is there; the key has mode 0600, and one that others can read is refused.
Result<std::unique_ptr<CertificateAuthority>> OpenAuthority(const std::string& directory);

/// A server certificate for `names` (DNS names or IP addresses) signed by the CA in DIRECTORY, for
/// pools and builders without a certificate of their own; valid for `lifetime`.
Result<IssuedCertificate> IssueServerCertificate(const std::string& directory,
                                                 const std::vector<std::string>& names,
                                                 std::chrono::seconds lifetime);

}  // namespace depot::identity
