#include "plugin/progress/log_file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"

namespace depot {

Result<> LogFile::Check(const std::string& path) {
  TRY(disk::CheckWithin(path));
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat status {};
  int error = 0;
  if (::stat(path.c_str(), &status) == 0) {
    error = S_ISDIR(status.st_mode) ? EISDIR : ::access(path.c_str(), W_OK) == 0 ? 0 : errno;
  } else if (errno != ENOENT || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    error = errno;
  }
  if (error == 0) return {};
  return Fail(SystemError(Cat("--log-file ", Printable(path)), error));
}

Result<std::unique_ptr<LogFile>> LogFile::Open(const std::string& path,
                                               const DisplayOptions& options) {
  constexpr mode_t kMode = 0666;
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!file.valid()) return Fail(SystemError(Cat("--log-file ", Printable(path)), errno));
  std::unique_ptr<LogFile> log(new LogFile(path, std::move(file)));
  log->display_ =
      MakePlainDisplay(options, [raw = log.get()](std::string_view text) { raw->Write(text); });
  return log;
}

void LogFile::Write(std::string_view text) {
  while (!text.empty() && error_number_ == 0) {
    const ssize_t count = ::write(file_.get(), text.data(), text.size());
    if (count >= 0) text.remove_prefix(static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) error_number_ = errno;
  }
}

Result<> LogFile::Finish(const Error* error, std::string_view last) {
  display_->Finish(error);
  Write(last);
  if (error_number_ == 0) return {};
  // Half a log would pass for the whole; a device or a pipe is not ours to take away.
  struct stat ours {};
  struct stat there {};
  const bool regular = ::fstat(file_.get(), &ours) == 0 && S_ISREG(ours.st_mode);
  if (regular && ::lstat(path_.c_str(), &there) == 0 && there.st_ino == ours.st_ino &&
      there.st_dev == ours.st_dev) {
    ::unlink(path_.c_str());
  }
  return Fail(SystemError(Cat("--log-file ", Printable(path_)), error_number_));
}

}  // namespace depot
