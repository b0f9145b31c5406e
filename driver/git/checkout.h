#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "driver/base/result.h"

/// What a git checkout says of itself, read from the files of its .git (gitrepository-layout(5)):
/// no program is run, since one would do what the checkout's own configuration tells it to.
namespace depot::git {

/// A checkout, as far as it says so.
struct Checkout {
  std::string root;      ///< of the working tree; absolute, without symlinks
  std::string revision;  ///< of HEAD, 40 or 64 hex digits; "" = it has no commit yet
  /// The URL of the remote that the current branch follows, else of origin, else of upstream; as
  /// SourceUrl() has it; "" = none. Rewriting (url.*.insteadOf) and included files are left out.
  std::string remote;
  std::string folder{};         ///< where its own HEAD and index are; absolute
  std::string common_folder{};  ///< where what worktrees share is; absolute
};

/// The checkout that the existing `directory` lies in; nullopt when there is none up to the root of
/// the file system. A .git file is followed to where a worktree or a submodule has its own, if that
/// one points back: another's repository is not looked into. Whatever is in its place, this neither
/// waits nor reads more than 20 MiB; what is there and cannot be read is an Error.
Result<std::optional<Checkout>> ReadCheckout(const std::string& directory);

/// A remote's URL without user, password and token: https://u:p@host/x becomes https://host/x; the
/// login of the form git@host:path stays. "" for what is no single line, or longer than 2048 bytes.
std::string SourceUrl(std::string_view url);

/// Whether it can be a commit's id: 40 or 64 lower-case hex digits.
bool IsRevision(std::string_view text);

}  // namespace depot::git
