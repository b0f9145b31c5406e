#include "plugin/deliver/loaded_images.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"

namespace depot::deliver {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRemembered = 200;
constexpr std::size_t kDigestPrefix = sizeof "sha256:" - 1;

void ForgetOldest(const std::string& folder) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const fs::file_time_type time = entry->last_write_time(gone);
    if (!gone) files.emplace_back(time, entry->path());
  }
  if (files.size() <= kMaxRemembered) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - kMaxRemembered);
  for (const auto& [time, path] : files)
    fs::remove(path, error);
}

}  // namespace

LoadedImages::LoadedImages(const std::string& folder, const std::string& engine_id) {
  if (folder.empty() || engine_id.empty()) return;
  folder_ = Cat(folder, "/", Sha256Hex(engine_id).substr(0, 16));
}

std::optional<std::string> LoadedImages::Find(const std::string& digest) const {
  if (folder_.empty() || !IsDigest(digest)) return std::nullopt;
  auto content = disk::ReadFileIfThere(Cat(folder_, "/", digest.substr(kDigestPrefix)));
  if (!content || !*content || DigestOf(**content) != digest) return std::nullopt;
  return **content;
}

void LoadedImages::Keep(const DescribedImage& image) const {
  if (folder_.empty()) return;
  auto keep = [this](const std::string& digest, const std::string& bytes) {
    (void)disk::WritePrivateFile(Cat(folder_, "/", digest.substr(kDigestPrefix)), bytes);
  };
  for (const ImagePart& part : image.parts)
    keep(part.descriptor.digest, part.bytes);
  if (!image.index.empty()) keep(image.top.digest, image.index);
  ForgetOldest(folder_);
}

}  // namespace depot::deliver
