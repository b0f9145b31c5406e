#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "driver/base/cancel.h"
#include "driver/files/tree_writer.h"

/// Where results go that a builder sends in its session.
namespace depot::session {

/// Where one exporter's bytes go: called in order, from one thread.
class StreamTarget {
 public:
  virtual ~StreamTarget() = default;

  /// Takes the next bytes, and waits while the target cannot: the builder then waits too. An error
  /// ends the export and is what the user is told.
  virtual Result<> Write(std::string_view data, const Cancel& cancel) = 0;

  /// All bytes arrived; the target is complete, though it may still wait for the build to succeed
  /// before it shows itself.
  virtual Result<> End(const Cancel& cancel) = 0;

  /// Takes back what it was sent, after a builder was lost, so that everything may be sent again
  /// from its beginning. An Error, and nothing has changed, when some of it is where it cannot be
  /// taken back from: the message says where. Not while Write() or End() runs.
  virtual Result<> StartOver() = 0;
};

/// A directory for `type=local`.
struct DirectoryTarget {
  std::string path;
  std::string folder{};  ///< in it; "" = right into it
  files::Devices devices = files::Devices::kRefused;
  /// Puts something around each stream's writer; called on the session's threads. Empty = nothing.
  std::function<std::unique_ptr<files::TreeWriter>(std::unique_ptr<files::TreeWriter>)> around{};
};

/// Another taker of what `type=local` sends: gives the writer for one stream. Called on the
/// session's threads; writers of several streams (one per platform) are used at the same time.
using TreeTarget = std::function<std::unique_ptr<files::TreeWriter>()>;

/// Where one exporter sends to.
using ExportTarget = std::variant<DirectoryTarget, std::unique_ptr<StreamTarget>, TreeTarget>;

/// StreamTarget::StartOver(), for every kind: files of a tree are written over.
Result<> StartOver(const ExportTarget& target);

}  // namespace depot::session
