#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace depot {

/// SHA-256 over bytes that arrive in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  /// 32 raw bytes; ends the hash.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 64 hex digits.
std::string Sha256Hex(std::string_view bytes);

/// "sha256:" + 64 hex digits (OCI image spec, descriptor.md).
std::string DigestOf(std::string_view bytes);

/// Whether `text` is a well-formed sha256 digest.
bool IsDigest(std::string_view text);

}  // namespace depot
