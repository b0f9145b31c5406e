#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/cancel.h"

/// Blobs that the builder reads and writes in its session, by their digest. The service checks what
/// the builder says (content_service.h): a digest that comes here is a well-formed sha256 one.
namespace depot::session {

/// What a blob is known by; a value.
struct BlobInfo {
  std::string digest;     ///< "" = not said (yet)
  std::int64_t size = 0;  ///< bytes; of a blob that is to come 0 also means "not said"
  /// What a builder calls its write: the kind, a dash and the digest, as in "config-sha256:..."
  /// (containerd core/remotes/handlers.go, MakeRefKey). "" = it is no write.
  std::string write{};
};

/// A blob that a store has, open for reading. One thread at a time.
class Blob {
 public:
  virtual ~Blob() = default;

  virtual std::int64_t size() const = 0;         ///< bytes
  virtual const std::string& shown() const = 0;  ///< where it is, for people

  /// Puts the bytes from `offset` on to `into`; gives how many they were: fewer than `size` are no
  /// error, 0 = there are none.
  virtual Result<std::size_t> ReadAt(std::int64_t offset,
                                     char* into,
                                     std::size_t size,
                                     const Cancel& cancel) = 0;
};

/// A blob on its way into a store; destroyed before Commit() it leaves nothing there. One thread at
/// a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;

  /// Appends, and waits while the store cannot take more: the builder then waits too.
  virtual Result<> Write(std::string_view data, const Cancel& cancel) = 0;

  /// All is there, and `digest` is what was computed of it (and what was expected, if anything
  /// was): from now on the store has it. Called once, last.
  virtual Result<> Commit(const std::string& digest, const Cancel& cancel) = 0;
};

/// Where blobs are. Any thread, several calls at once. Errors are of our own side (a disk, a lost
/// Engine), except kNotFound and kDenied as told below.
class ContentStore {
 public:
  virtual ~ContentStore() = default;

  /// The size of a blob; kNotFound when the store lacks it. What it has need not be sent: a store
  /// may also say so of what it could not give back.
  virtual Result<std::int64_t> Size(const std::string& digest) = 0;

  /// Whether a blob that is announced, with its digest, is not to be sent. The builder takes that
  /// for success.
  virtual bool Declines(const BlobInfo& announced) { return Size(announced.digest).has_value(); }

  /// kNotFound as above; kDenied when the blob is not for reading.
  virtual Result<std::unique_ptr<Blob>> Open(const std::string& digest) = 0;

  /// Begins one that was not declined. A builder that starts over gets another writer, after
  /// the first one is destroyed; two at once may be of one blob. kDenied: not this one, or nothing
  /// at all.
  virtual Result<std::unique_ptr<BlobWriter>> Begin(const BlobInfo& expected) = 0;

  /// All blobs that Open() knows, in no order.
  virtual Result<std::vector<BlobInfo>> List() = 0;
};

}  // namespace depot::session
