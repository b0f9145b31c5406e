#include <chrono>

#include <sys/stat.h>

#include "driver/base/text.h"
#include "driver/files/tree_writer.h"

namespace depot::files {
namespace {

class SubTreeWriter final : public TreeWriter {
 public:
  SubTreeWriter(std::unique_ptr<TreeWriter> writer, std::string folder)
      : writer_(std::move(writer)), folder_(std::move(folder)) {}

  bool Wants(const FileEntry& entry) const override { return writer_->Wants(Moved(entry)); }
  Result<> Make(const FileEntry& entry) override { return writer_->Make(Moved(entry)); }
  Result<std::unique_ptr<File>> Create(const FileEntry& entry) override {
    return writer_->Create(Moved(entry));
  }
  Result<> Finish() override { return writer_->Finish(); }

 private:
  FileEntry Moved(FileEntry entry) const {
    entry.path = Cat(folder_, "/", entry.path);
    bool hard_link = S_ISREG(entry.mode) && !entry.linkname.empty();
    if (hard_link) entry.linkname = Cat(folder_, "/", entry.linkname);
    return entry;
  }

  const std::unique_ptr<TreeWriter> writer_;
  const std::string folder_;
};

}  // namespace

Result<std::unique_ptr<TreeWriter>> OpenSubTreeWriter(const std::string& root,
                                                      const std::string& folder,
                                                      Devices devices) {
  TRY_ASSIGN(auto writer, OpenTreeWriter(root, devices));
  FileEntry entry;
  entry.path = folder;
  entry.mode = S_IFDIR | 0755;
  auto now = std::chrono::system_clock::now().time_since_epoch();
  entry.mtime_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  TRY(writer->Make(entry));
  return std::make_unique<SubTreeWriter>(std::move(writer), folder);
}

}  // namespace depot::files
