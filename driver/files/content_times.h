#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "driver/files/tree.h"

/// Times that stand for content. A builder keeps its copy of a tree, and asks only for files whose
/// size, mode, link or time (to the nanosecond) is another one than there; in a fresh clone every
/// file has a new time. With one that is made from its content, only what changed is asked for.
namespace depot::files {

/// Last among the exclude patterns of a request, it says that times are to stand for content;
/// requests without it, and so a frontend that asks by itself, get the times of files. It excludes
/// nothing.
inline constexpr std::string_view kContentTimesMark = ".docker-depot.content-times";

/// Gives contents names: two have the same one only when they are the same.
class ContentNames {
 public:
  virtual ~ContentNames() = default;

  /// The name of a regular file's content when it is known without reading the file; "" otherwise.
  /// Must be quick. Any thread.
  virtual std::string_view Known(const FileEntry& entry) const = 0;

  /// The name of what `file` has from its beginning to its end. Any thread. Blocks.
  virtual Result<std::string> Read(int file, std::int64_t size, const Cancel& cancel) const = 0;

  /// The name of a text.
  virtual std::string Of(std::string_view text) const = 0;
};

/// What all walks with content times have seen.
struct ContentTally {
  std::atomic<std::uint64_t> known{0};  ///< regular files whose content was known
  std::atomic<std::uint64_t> read{0};   ///< those that were read for it
  /// A file was sent with the time of another content, and the builder must not keep it.
  std::atomic<bool> distrusted{false};
};

/// The time for a content's name: between 2000 and mid-2008, 58 bits of it. `name` has at least 8
/// bytes that look random.
std::int64_t ContentTime(std::string_view name);

/// `tree` on this machine's disk, with content times for whoever asks with kContentTimesMark. A
/// file that changes while it is read has a time that never comes again. Extended attributes, which
/// the builder does not compare, count as content.
std::unique_ptr<FileTree> MakeContentTimesTree(std::unique_ptr<FileTree> tree,
                                               std::shared_ptr<const ContentNames> names,
                                               std::shared_ptr<ContentTally> tally);

}  // namespace depot::files
