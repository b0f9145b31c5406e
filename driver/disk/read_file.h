#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "driver/base/cancel.h"
#include "driver/base/result.h"

namespace depot::disk {

/// The content of a file of at most `limit` bytes; larger is kInvalid. A pipe is read to its end,
/// which may be waited for until `cancel` stops; it gives its content once. Errors name the path.
Result<std::string> ReadWholeFile(const std::string& path, std::size_t limit, const Cancel& cancel);

/// The same of a file that is open for reading; `shown` names it in errors.
Result<std::string> ReadOpenFile(int fd,
                                 const std::string& shown,
                                 std::size_t limit,
                                 const Cancel& cancel);

/// A file of ours or of Docker's that need not be there: nullopt when it does not exist. At most
/// 16 MiB. Never waits: a pipe in its place gives what is in it.
Result<std::optional<std::string>> ReadFileIfThere(const std::string& path);

}  // namespace depot::disk
