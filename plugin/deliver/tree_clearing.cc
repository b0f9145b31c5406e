#include "plugin/deliver/tree_clearing.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/directory_listing.h"
#include "driver/disk/remove_tree.h"
#include "plugin/options/flag_values.h"

namespace depot::deliver {
namespace {

namespace fs = std::filesystem;

bool IsBelowWorkingDirectory(const std::string& path) {
  std::error_code error;
  const fs::path here = fs::canonical(fs::current_path(error), error);
  if (error) return false;
  const fs::path there = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) return false;
  const fs::path relative = there.lexically_normal().lexically_relative(here);
  return !relative.empty() && relative != "." && *relative.begin() != "..";
}

class NotingWriter final : public files::TreeWriter {
 public:
  NotingWriter(std::unique_ptr<files::TreeWriter> inner, SentPaths& sent, const std::string& folder)
      : inner_(std::move(inner)), sent_(sent), prefix_(folder.empty() ? "" : folder + '/') {
    if (!folder.empty()) sent_.Note(folder, true);
  }

  bool Wants(const files::FileEntry& entry) const override {
    sent_.Note(Cat(prefix_, entry.path), false);
    return inner_->Wants(entry);
  }

  Result<> Make(const files::FileEntry& entry) override {
    sent_.Note(Cat(prefix_, entry.path), S_ISDIR(entry.mode));
    return inner_->Make(entry);
  }

  Result<std::unique_ptr<File>> Create(const files::FileEntry& entry) override {
    return inner_->Create(entry);
  }

  Result<> Finish() override { return inner_->Finish(); }

 private:
  std::unique_ptr<files::TreeWriter> inner_;
  SentPaths& sent_;
  const std::string prefix_;
};

}  // namespace

Result<> CheckClearing(const options::BuildOptions& options) {
  if (options.allow_local_delete) return {};
  for (const options::Output& output : options.outputs) {
    if (!output.attrs.contains("mode") || IsBelowWorkingDirectory(output.dest)) continue;
    return Fail(Error(ErrorCode::kUsage,
                      Cat("local output mode=delete for destination \"", Printable(output.dest),
                          "\" requires --allow=", options::kLocalDelete))
                    .WithHint("without it only directories below the working directory may lose "
                              "what the build did not make"));
  }
  return {};
}

void SentPaths::Note(std::string_view path, bool directory) {
  while (path.ends_with('/'))
    path.remove_suffix(1);
  std::lock_guard lock(mutex_);
  sent_.insert_or_assign(std::string(path), directory);
}

Result<> SentPaths::RemoveRest(const std::string& root) const {
  Fd directory(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return Fail(SystemError(Cat("--output mode=delete: open ", root), errno));
  return RemoveIn(directory.get(), root, "");
}

Result<> SentPaths::RemoveIn(int directory,
                             const std::string& shown,
                             const std::string& prefix) const {
  disk::DirectoryListing listing;
  if (const int error = listing.Read(directory); error != 0) {
    return Fail(SystemError(Cat("--output mode=delete: read ", Printable(shown)), error));
  }
  for (const disk::DirectoryListing::Name& name : listing.names()) {
    const std::string path = Cat(prefix, name.text);
    const std::string place = Cat(shown, '/', name.text);
    const auto sent = sent_.find(path);
    if (sent == sent_.end()) {
      const int error = disk::RemoveTree(directory, name.text);
      if (error == 0) continue;
      return Fail(SystemError(Cat("--output mode=delete: remove ", Printable(place)), error));
    }
    if (!sent->second) continue;
    Fd child(::openat(directory, name.text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.valid()) {
      return Fail(SystemError(Cat("--output mode=delete: open ", Printable(place)), errno));
    }
    TRY(RemoveIn(child.get(), place, path + '/'));
  }
  return {};
}

std::unique_ptr<files::TreeWriter> MakeNotingWriter(std::unique_ptr<files::TreeWriter> inner,
                                                    SentPaths& sent,
                                                    const std::string& folder) {
  return std::make_unique<NotingWriter>(std::move(inner), sent, folder);
}

}  // namespace depot::deliver
