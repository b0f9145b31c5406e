#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "driver/builder/builder.h"
#include "driver/oci/digest.h"

namespace depot::solve {

/// Reads one blob of the builder's content store, of any size, in pieces as they arrive. What it
/// has given is the blob of that digest and size, or ends in an Error: the last piece is held back
/// until all of it was checked. A connection that is lost is made again, and reading goes on where
/// it was. What a build has made may be collected as garbage soon after the solve (kNotFound). One
/// thread.
class BlobReader {
 public:
  /// `digest` is a well-formed one; `builder` must outlive the reader.
  BlobReader(builder::Builder& builder, std::string digest, std::int64_t size);
  ~BlobReader();
  BlobReader(const BlobReader&) = delete;
  BlobReader& operator=(const BlobReader&) = delete;

  /// Asks for it, so that the first bytes are on their way before Next() wants them; a few MiB
  /// arrive meanwhile, and no more. Blocks at most while the connection is busy.
  void Ask(const Cancel& cancel);

  /// The next piece; "" = the end, and what came before is right. Blocks.
  Result<std::string> Next(const Cancel& cancel);

 private:
  Result<std::optional<std::string>> Receive(const Cancel& cancel);
  Result<bool> GoesOn(const Cancel& cancel);
  Result<std::string> Check();

  builder::Builder& builder_;
  const std::string digest_;
  const std::int64_t size_;
  rpc::Channel* channel_ = nullptr;  ///< of `call_`, or of the last one
  std::unique_ptr<rpc::ClientCall> call_;
  Sha256 hash_;
  std::int64_t received_ = 0;
  std::optional<std::string> held_;  ///< received, and not given yet
  bool moved_ = false;               ///< since the last connection was made
  bool ended_ = false;
};

}  // namespace depot::solve
