#include "driver/base/system_roots.h"

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr const char* kFiles[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
constexpr const char* kDirectories[] = {"/etc/ssl/certs", "/etc/pki/tls/certs"};

}  // namespace

SystemRoots FindSystemRoots(const std::string& ssl_cert_file, const std::string& ssl_cert_dir) {
  SystemRoots roots{ssl_cert_file, ssl_cert_dir};
  if (!roots.file.empty() || !roots.directory.empty()) return roots;
  for (const char* file : kFiles) {
    if (::access(file, R_OK) == 0) {
      roots.file = file;
      return roots;
    }
  }
  for (const char* directory : kDirectories) {
    if (::access(directory, R_OK | X_OK) == 0) {
      roots.directory = directory;
      return roots;
    }
  }
  return roots;
}

std::string RootsHint(const SystemRoots& roots) {
  constexpr std::string_view kHowTo = "SSL_CERT_FILE names a file with the right authority";
  if (!roots.file.empty() || !roots.directory.empty()) {
    const char* both = roots.file.empty() || roots.directory.empty() ? "" : " and ";
    return Cat("trusted are the authorities in ", Printable(roots.file), both,
               Printable(roots.directory), "; ", kHowTo);
  }
  std::string places;
  for (const char* file : kFiles)
    places += Cat(file, ", ");
  for (const char* directory : kDirectories)
    places += Cat(directory, "/, ");
  places.resize(places.size() - 2);
  return Cat("there are no certificate authorities here, neither of ", places, "; ", kHowTo);
}

}  // namespace depot
