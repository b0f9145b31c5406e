#include "driver/docker/message_stream.h"

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::docker {
namespace {

constexpr std::size_t kMaxObject = 1 << 20;
constexpr std::size_t kMaxBeginning = 16 << 10;
constexpr std::size_t kMaxText = 4 << 10;

std::string DigestIn(const std::string& status) {
  constexpr std::string_view kMark = ": digest: ";
  std::size_t mark = status.find(kMark);
  if (mark == std::string::npos) return "";
  std::size_t start = mark + kMark.size();
  return status.substr(start, status.find(' ', start) - start);
}

}  // namespace

Result<> EngineMessageStream::Feed(std::string_view data) {
  if (beginning_.size() < kMaxBeginning) {
    beginning_.append(data.substr(0, kMaxBeginning - beginning_.size()));
  }
  for (char c : data) {
    if (depth_ == 0 && c != '{') continue;
    object_.push_back(c);
    if (object_.size() > kMaxObject) {
      return Fail(ErrorCode::kInvalid, "the Engine sent a message larger than 1 MiB");
    }
    if (in_string_) {
      if (c == '"' && !escaped_) in_string_ = false;
      escaped_ = c == '\\' && !escaped_;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{') {
      ++depth_;
    } else if (c == '}' && --depth_ == 0) {
      TakeObject(object_);
      object_.clear();
    }
  }
  return {};
}

void EngineMessageStream::TakeObject(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  if (!json) return;
  std::string error = (*json)["errorDetail"]["message"].AsString();
  if (error.empty()) error = (*json)["error"].AsString();
  if (!error.empty()) {
    if (!error_) error_ = RedactUrls(Printable(Trim(error).substr(0, kMaxText)));
    return;
  }
  EngineMessage message;
  message.id = Printable((*json)["id"].AsString().substr(0, kMaxText));
  message.status = Printable((*json)["status"].AsString().substr(0, kMaxText));
  message.stream = (*json)["stream"].AsString();
  message.current = (*json)["progressDetail"]["current"].AsInt();
  message.total = (*json)["progressDetail"]["total"].AsInt();
  message.digest = DigestIn(message.status);
  take_(message);
}

}  // namespace depot::docker
