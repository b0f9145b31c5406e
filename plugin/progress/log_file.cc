#include "plugin/progress/log_file.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {

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
  return Fail(SystemError(Cat("--log-file ", Printable(path_)), error_number_));
}

}  // namespace depot
