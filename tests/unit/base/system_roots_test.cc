#include "driver/base/system_roots.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace depot::system_roots_test {
namespace {

TEST(SystemRoots, AreWhatTheVariablesSayEvenWhenItIsNotThere) {
  SystemRoots file = FindSystemRoots("/nonexistent.pem", "");
  EXPECT_EQ(file.file, "/nonexistent.pem");
  EXPECT_EQ(file.directory, "");
  SystemRoots directory = FindSystemRoots("", "/nonexistent");
  EXPECT_EQ(directory.file, "");
  EXPECT_EQ(directory.directory, "/nonexistent");
}

TEST(SystemRoots, AreReadableWhenFoundInAUsualPlace) {
  SystemRoots roots = FindSystemRoots("", "");
  EXPECT_TRUE(roots.file.empty() || roots.directory.empty());
  for (const std::string& found : {roots.file, roots.directory}) {
    EXPECT_TRUE(found.empty() || ::access(found.c_str(), R_OK) == 0) << found;
  }
}

TEST(SystemRoots, HintNamesWhatIsTrusted) {
  EXPECT_EQ(RootsHint({"/a.pem", ""}),
            "trusted are the authorities in /a.pem; SSL_CERT_FILE names a file with the right "
            "authority");
  EXPECT_TRUE(
      RootsHint({"/a.pem", "/b"}).starts_with("trusted are the authorities in /a.pem and /b;"));
  EXPECT_TRUE(RootsHint({"", "/b"}).starts_with("trusted are the authorities in /b;"));
}

TEST(SystemRoots, HintWithoutAnyNamesThePlaces) {
  std::string hint = RootsHint({});
  for (const char* place : {"/etc/ssl/certs/ca-certificates.crt,", "/etc/ssl/cert.pem,",
                            "/etc/pki/tls/certs/;", "SSL_CERT_FILE"}) {
    EXPECT_NE(hint.find(place), std::string::npos) << place;
  }
}

}  // namespace
}  // namespace depot::system_roots_test
