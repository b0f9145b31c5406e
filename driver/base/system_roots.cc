#include "driver/base/system_roots.h"

#include <unistd.h>

namespace depot {

SystemRoots FindSystemRoots(const std::string& ssl_cert_file, const std::string& ssl_cert_dir) {
  SystemRoots roots{ssl_cert_file, ssl_cert_dir};
  if (!roots.file.empty() || !roots.directory.empty()) return roots;
  for (const char* file :
       {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}) {
    if (::access(file, R_OK) == 0) {
      roots.file = file;
      return roots;
    }
  }
  for (const char* directory : {"/etc/ssl/certs", "/etc/pki/tls/certs"}) {
    if (::access(directory, R_OK | X_OK) == 0) {
      roots.directory = directory;
      return roots;
    }
  }
  return roots;
}

}  // namespace depot
