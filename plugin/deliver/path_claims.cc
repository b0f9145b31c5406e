#include "plugin/deliver/path_claims.h"

#include <sys/stat.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/platform_list.h"

namespace depot::deliver {
namespace {

class ClaimingWriter final : public files::TreeWriter {
 public:
  ClaimingWriter(std::unique_ptr<files::TreeWriter> inner,
                 PathClaims& claims,
                 std::vector<Platform> platforms)
      : inner_(std::move(inner)), claims_(claims), platforms_(std::move(platforms)) {}

  bool Wants(const files::FileEntry& entry) const override { return inner_->Wants(entry); }

  Result<> Make(const files::FileEntry& entry) override {
    TRY(claims_.Claim(entry.path, S_ISDIR(entry.mode), platforms_));
    return inner_->Make(entry);
  }

  Result<std::unique_ptr<File>> Create(const files::FileEntry& entry) override {
    TRY(claims_.Claim(entry.path, false, platforms_));
    return inner_->Create(entry);
  }

  Result<> Finish() override { return inner_->Finish(); }

 private:
  std::unique_ptr<files::TreeWriter> inner_;
  PathClaims& claims_;
  std::vector<Platform> platforms_;
};

}  // namespace

Result<> PathClaims::Claim(std::string_view path,
                           bool folder,
                           const std::vector<Platform>& platforms) {
  while (path.ends_with('/'))
    path.remove_suffix(1);
  std::string who = FormatPlatforms(platforms, ",");
  std::lock_guard lock(mutex_);
  auto [owner, first] = owners_.try_emplace(std::string(path), Owner{folder, who});
  if (first || (folder && owner->second.folder) || owner->second.platforms == who) return {};
  return Fail(
      Error(ErrorCode::kFailed, Cat("--output: ", Printable(path), " in ", Printable(place_),
                                    " comes from ", owner->second.platforms, " and from ", who,
                                    ", and platform-split=false makes one tree of all"))
          .WithHint("leave platform-split=false away, so that each platform has a folder, or "
                    "give the files names with $TARGETARCH"));
}

std::unique_ptr<files::TreeWriter> MakeClaimingWriter(std::unique_ptr<files::TreeWriter> inner,
                                                      PathClaims& claims,
                                                      std::vector<Platform> platforms) {
  return std::make_unique<ClaimingWriter>(std::move(inner), claims, std::move(platforms));
}

}  // namespace depot::deliver
