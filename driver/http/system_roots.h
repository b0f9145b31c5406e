#pragma once

#include <string>

namespace depot::http {

/// Where this machine keeps the certificate authorities it trusts; empty parts are absent.
struct SystemRoots {
  std::string file;       ///< a PEM bundle
  std::string directory;  ///< certificates by OpenSSL hash
};

/// SSL_CERT_FILE and SSL_CERT_DIR (OpenSSL's own variables, which Go reads too) win unread; else
/// the first of the usual places of Debian, Alpine, Red Hat and SUSE that can be read. Looked up at
/// run time because a static binary runs on all of them. Both parts empty = there are none.
SystemRoots FindSystemRoots();

}  // namespace depot::http
