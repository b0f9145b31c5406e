#include "driver/solve/solve_error.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "proto/gateway.pb.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/event/excerpt.h"
#include "driver/solve/causes.h"

namespace depot::solve {
namespace {

/// errdefs.Source+json: {"info":{"filename","data"(base64)},"ranges":[{"start":{"line"},...}]}
std::string Excerpt(const Json& source) {
  std::vector<SourceRange> ranges;
  Json list = source["ranges"];
  constexpr std::size_t kMaxRanges = 1000;
  auto line = [](const Json& position) {
    return static_cast<int>(std::clamp<std::int64_t>(position["line"].AsInt(), 0, 1 << 30));
  };
  for (std::size_t i = 0; i < std::min(list.size(), kMaxRanges); ++i) {
    ranges.push_back({line(list[i]["start"]), line(list[i]["end"])});
  }
  Json info = source["info"];
  return SourceExcerpt(info["filename"].AsString(),
                       FromBase64(info["data"].AsString()).value_or(""), ranges);
}

/// The value of `detail` when it has that type, and is what it should be.
std::optional<Json> ValueOf(const moby::buildkit::v1::frontend::AnyDetail& detail,
                            std::string_view type) {
  if (detail.type_url() != type) return std::nullopt;
  Result<Json> value = Json::Parse(detail.value());
  if (!value) return std::nullopt;
  return *std::move(value);
}

/// What the parts of a status say that are for programs (BuildKit util/grpcerrors).
struct Details {
  std::string excerpts;  ///< of all sources, innermost cause first
  std::string vertex;    ///< the digest of the step that failed; "" = not told
  std::int64_t exit_code = 0;
};

Details ReadDetails(const std::string& bytes) {
  Details read;
  moby::buildkit::v1::frontend::Status status;
  if (!status.ParseFromString(bytes)) return read;
  for (const auto& detail : status.details()) {
    if (auto source = ValueOf(detail, "github.com/moby/buildkit/errdefs.Source+json")) {
      read.excerpts += Excerpt(*source);
    } else if (auto vertex = ValueOf(detail, "github.com/moby/buildkit/errdefs.Vertex+json")) {
      read.vertex = (*vertex)["digest"].AsString();
    } else if (auto exit =
                   ValueOf(detail, "github.com/moby/buildkit/gatewayapi.ExitMessage+json")) {
      read.exit_code = (*exit)["Code"].AsInt();
    }
  }
  return read;
}

/// Cuts `prefix ... separator` out of the text: the daemon's own addresses say nothing to a user.
void CutReference(std::string& text, std::string_view prefix, std::string_view separator) {
  std::size_t begin = text.find(prefix);
  if (begin == std::string::npos) return;
  std::size_t end = text.find(separator, begin + prefix.size());
  if (end != std::string::npos) text.erase(begin, end + separator.size() - begin);
}

/// "rpc error: code = Unknown desc = " says where the text has been, not what happened.
void CutTransport(std::string& text) {
  constexpr std::string_view kBegin = "rpc error: code = ";
  constexpr std::string_view kEnd = " desc = ";
  for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at)) {
    std::size_t end = text.find(kEnd, at);
    if (end == std::string::npos) return;
    text.erase(at, end + kEnd.size() - at);
  }
}

/// What we gave back to the builder ourselves, it says under the name of our code.
void CutOwnCode(std::string& text) {
  constexpr std::string_view kCode = "Unimplemented: ";
  if (text.starts_with(kCode)) text.erase(0, kCode.size());
}

/// BuildKit frontend/gateway/pb/exit.go; of what it does not know it says 2^32 - 1. Older ones say
/// it in the text alone.
int StepExitOf(std::int64_t told, std::string_view text) {
  for (std::string_view said : {"did not complete successfully: exit code: ", "]: exit code: "}) {
    const std::size_t at = text.rfind(said);
    if (told != 0 || at == std::string_view::npos) continue;
    std::string_view digits = text.substr(at + said.size());
    digits = digits.substr(0, digits.find_first_not_of("0123456789"));
    told = static_cast<std::int64_t>(ParseDecimal(digits).value_or(0));
  }
  constexpr std::int64_t kMost = 255;
  return told > 0 && told <= kMost ? static_cast<int>(told) : 0;
}

/// A program that could not even be started is in the step's output alone: the last line, of runc
/// or of the kernel.
const Cause* CauseOf(std::string_view text, const std::string& last_words) {
  if (const Cause* cause = FindCause(text)) return cause;
  std::string_view words = Trim(last_words);
  words = words.substr(words.rfind('\n') + 1);
  // runc before 1.1 says where in itself it failed, and then this.
  const bool of_start = words.starts_with("runc run failed: ") || words.starts_with("exec /") ||
                        words.find(" process caused: ") != std::string_view::npos;
  return of_start ? FindCause(words) : nullptr;
}

FailedAt WhereOf(rpc::Code code, const Cause* cause) {
  if (cause != nullptr && cause->at != FailedAt::kUnsaid) return cause->at;
  // As docker buildx ends then (buildx cmd/buildx/main.go).
  if (code == rpc::Code::kInternal) return FailedAt::kDefect;
  // A cause that is known, and has no place of its own, is no full disk or memory.
  const bool full = code == rpc::Code::kResourceExhausted && cause == nullptr;
  return full ? FailedAt::kResources : FailedAt::kUnsaid;
}

}  // namespace

Error SolveError(const rpc::Status& status, const StepNames& names) {
  Error error = rpc::ToError(status);
  std::string text = error.message();
  const Details details = ReadDetails(status.details);
  const Cause* cause = CauseOf(text, names.LastWords(details.vertex));
  CutOwnCode(text);
  CutTransport(text);
  CutReference(text, "failed to calculate checksum of ref ", ": ");
  CutReference(text, "failed to compute cache key", ": ");
  std::string original = text == error.message() ? "" : error.message();
  // What the builder cannot reach is not the builder: that code is the lost link's alone.
  bool other = error.code() == ErrorCode::kUnavailable;
  return Error(other ? ErrorCode::kFailed : error.code(), text)
      .While("build failed")
      .WithHint(cause == nullptr ? "" : std::string(cause->hint))
      .WithExcerpt(details.excerpts)
      .WithOriginal(std::move(original))
      .WithStepExit(StepExitOf(details.exit_code, text))
      .At(WhereOf(status.code, cause))
      .WithPlace({names.FailedStep(details.vertex), "", ""});
}

}  // namespace depot::solve
