#pragma once

#include <string>

namespace depot {

/// Where a machine keeps the certificate authorities it trusts; a part that is empty is absent.
struct SystemRoots {
  std::string file;       ///< a PEM bundle
  std::string directory;  ///< certificates by OpenSSL hash
};

/// The values of SSL_CERT_FILE and SSL_CERT_DIR (OpenSSL's own variables, which Go reads too), when
/// one of them is not empty, are taken unread; else the first of the usual places of Debian,
/// Alpine, Red Hat and SUSE that can be read. Looked up at run time, because a static binary runs
/// on all of them and what is compiled into OpenSSL fits one. Both parts empty = this machine has
/// none.
SystemRoots FindSystemRoots(const std::string& ssl_cert_file, const std::string& ssl_cert_dir);

/// For the hint of a certificate that is not trusted: which authorities are, or where there was
/// none to be found, and how to name others.
std::string RootsHint(const SystemRoots& roots);

}  // namespace depot
