#include "driver/rpc/process_stream.h"

#include <atomic>

#include "driver/base/shown.h"
#include "driver/base/subprocess.h"
#include "driver/base/text.h"

namespace depot::rpc {
namespace {

/// The last lines of what a program said, in one.
std::string LastWords(std::string_view text) {
  constexpr std::size_t kMost = 1 << 10;
  text = Trim(text);
  if (text.size() > kMost) {
    text.remove_prefix(text.size() - kMost);
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  std::vector<std::string> lines;
  for (std::string_view line : Split(text, '\n')) {
    if (!Trim(line).empty()) lines.push_back(Printable(Trim(line)));
  }
  return Join(lines, "; ");
}

class ProcessStream final : public ByteStream {
 public:
  ProcessStream(std::string program, std::unique_ptr<ChildProcess> child)
      : program_(std::move(program)),
        child_(std::move(child)),
        stream_(MakeSocketStream(child_->TakeSocket())) {}

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    Result<std::size_t> got = stream_->Read(into, capacity, cancel);
    if (got && *got > 0) return got;
    TRY(Ended(cancel));
    return got;
  }

  Result<> Write(const BytesList& pieces, const Cancel& cancel) override {
    Result<> written = stream_->Write(pieces, cancel);
    if (!written) TRY(Ended(cancel));
    return written;
  }

  void Close() override {
    closed_ = true;
    stream_->Close();
  }

 private:
  /// The child's own account of why the stream is over, when it has one and we are not the reason.
  Result<> Ended(const Cancel& cancel) {
    if (closed_ || cancel.cancelled()) return {};
    ChildState state = child_->Wait(cancel.WithTimeout(std::chrono::seconds(1), "its end"));
    std::string words = LastWords(state.standard_error);
    if (closed_ || (state.exit_code.value_or(0) == 0 && words.empty())) return {};
    std::string how = state.exit_code ? Cat("ended with exit code ", *state.exit_code)
                                      : std::string("closed its output");
    return Fail(ErrorCode::kUnavailable, Cat(program_, ' ', how, words.empty() ? "" : ": ", words));
  }

  const std::string program_;
  std::unique_ptr<ChildProcess> child_;
  std::unique_ptr<ByteStream> stream_;
  std::atomic<bool> closed_{false};
};

}  // namespace

Result<std::unique_ptr<ByteStream>> StartProcessStream(const std::vector<std::string>& argv) {
  TRY_ASSIGN(std::unique_ptr<ChildProcess> child, ChildProcess::Start(argv));
  return std::make_unique<ProcessStream>(argv[0], std::move(child));
}

}  // namespace depot::rpc
