#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "driver/base/random.h"
#include "driver/base/subprocess.h"
#include "driver/base/text.h"

namespace depot::test {

/// A folder that goes with the test.
class TempDir {
 public:
  TempDir() : path_(std::filesystem::temp_directory_path() / Cat("depot-test-", RandomId())) {
    std::filesystem::create_directories(path_);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path(std::string_view name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }

  std::string Write(std::string_view name, std::string_view content) const {
    std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }

  std::string Read(std::string_view name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
  }

 private:
  std::filesystem::path path_;
};

/// Certificates made with the openssl program: an authority and what it signed.
class TestAuthority {
 public:
  TestAuthority() {
    Run({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
         "2", "-subj", "/CN=test authority", "-keyout", dir_.path("ca.key"), "-out",
         dir_.path("ca.pem")});
  }

  /// Makes NAME.pem and NAME.key, valid for `alt_name` (as "IP:127.0.0.1" or "DNS:x") and `days`;
  /// -1 = it ended yesterday.
  void Issue(const std::string& name, const std::string& alt_name, int days = 2) {
    std::string extensions = dir_.Write("ext", Cat("subjectAltName=", alt_name));
    Run({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         Cat("/CN=", name), "-keyout", dir_.path(name + ".key"), "-out", dir_.path("csr")});
    Run({"x509", "-req", "-in", dir_.path("csr"), "-CA", dir_.path("ca.pem"), "-CAkey",
         dir_.path("ca.key"), "-CAcreateserial", "-days", std::to_string(days), "-extfile",
         extensions, "-out", dir_.path(name + ".pem")});
  }

  std::string path(std::string_view name) const { return dir_.path(name); }
  std::string Pem(std::string_view name) const { return dir_.Read(name); }

 private:
  static void Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    (void)RunSubprocess(arguments, "", Cancel::Never());
  }

  TempDir dir_;
};

}  // namespace depot::test
