#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "driver/session/content_store.h"

namespace depot::session {

/// Takes of an image only what describes it: indexes, manifests, configurations and attestations,
/// in memory, as a builder forgets these when the solve ends. Layers, which its cache keeps, are
/// declined. It is offered as
/// "export" to an exporter with tar=false, which sends layers first and manifests last (BuildKit
/// util/contentutil, CopyChain). What would not fit is declined too: one has at most
/// kMaxManifestSize bytes, all together 16 MiB. Any thread.
class DescriptionStore final : public ContentStore {
 public:
  /// What was sent under this digest; nullopt when it was declined, or never announced.
  std::optional<std::string> Find(const std::string& digest) const;

  /// The indexes and manifests that came, in the order in which they were whole.
  std::vector<std::string> manifests() const;

  Result<std::int64_t> Size(const std::string& digest) override;
  bool Declines(const BlobInfo& announced) override;
  Result<std::unique_ptr<Blob>> Open(const std::string& digest) override;
  Result<std::unique_ptr<BlobWriter>> Begin(const BlobInfo& expected) override;
  Result<std::vector<BlobInfo>> List() override;

 private:
  class Writer;

  bool Reserve(std::size_t bytes);
  void Release(std::size_t bytes);
  void Keep(const std::string& digest, std::string content, bool manifest);

  mutable std::mutex mutex_;
  std::map<std::string, std::string> kept_;  // by digest
  std::vector<std::string> manifests_;
  std::size_t reserved_ = 0;
};

}  // namespace depot::session
