#include "driver/solve/solve_error.h"

#include <algorithm>
#include <vector>

#include "proto/gateway.pb.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/event/excerpt.h"

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

/// All sources of the error, innermost cause first.
std::string Excerpts(const std::string& details) {
  moby::buildkit::v1::frontend::Status status;
  if (!status.ParseFromString(details)) return "";
  std::string out;
  for (const auto& detail : status.details()) {
    if (detail.type_url() != "github.com/moby/buildkit/errdefs.Source+json") continue;
    Result<Json> source = Json::Parse(detail.value());
    if (source) out += Excerpt(*source);
  }
  return out;
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

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool IsAccessRefusal(std::string_view text) {
  return Contains(text, "401 Unauthorized") || Contains(text, "403 Forbidden") ||
         Contains(text, "insufficient_scope") || Contains(text, "authorization failed") ||
         Contains(text, "access denied") || Contains(text, "access to the resource is denied") ||
         Contains(text, "no basic auth credentials") ||
         Contains(text, "failed to fetch oauth token") ||
         Contains(text, "failed to fetch anonymous token");
}

/// What BuildKit says when it looks for a file of a context; the same "no such file" of a RUN step,
/// of a mount or of a program has other causes.
bool OfContext(std::string_view text) {
  return Contains(text, "failed to calculate checksum") ||
         Contains(text, "failed to compute cache key") || Contains(text, "failed to walk ") ||
         Contains(text, "failed to read dockerfile") || Contains(text, "failed to copy files");
}

std::string Hint(std::string_view text) {
  struct Known {
    std::string_view part;
    std::string_view hint;
  };
  static constexpr Known kKnown[] = {
      {"could not be found (did you mean",
       "--target names a stage of the Dockerfile (FROM ... AS name)"},
      {"target stage", "--target names a stage of the Dockerfile (FROM ... AS name)"},
      {"granting entitlement",
       "the builder's own configuration must allow it too (insecure-entitlements)"},
      {"entitlement", "allow it with --allow"},
      {"frontend capability moby.buildkit.frontend.contexts",
       "--build-context needs BuildKit 0.10 (Docker 23) or newer, or # syntax=docker/dockerfile:1 "
       "as the first line of the Dockerfile"},
      {"frontend capability moby.buildkit.frontend.gitquerystring",
       "a git URL with ?... needs BuildKit 0.24 or newer; older ones take URL#REF:SUBDIR"},
      {"unset ssh forward key",
       "give an ssh agent with --ssh ID, or a key with --ssh ID=KEYFILE or --ssh ID=env=VARIABLE"},
      {"could not read Username",
       "a private repository: give its token with --secret id=GIT_AUTH_TOKEN,env=VARIABLE"},
      {"Authentication failed for",
       "git's credentials were refused: --secret id=GIT_AUTH_TOKEN,env=VARIABLE gives others; in a "
       "GitLab job the other project must let this one's job token in"},
      {"makes one output for each build",
       "build once for each output: the later builds come from the cache"},
      {"no match for platform in manifest", "the base image does not exist for this platform"},
      {"received message larger than max",
       "a limit of the builder's: every pattern of .dockerignore (or DOCKERFILE.dockerignore) "
       "travels "
       "with the step that loads the context; write fewer, for folders instead of files"},
      {"no space left on device", "the builder's disk is full: prune its cache"},
      {"exec format error", "the image is for another CPU than the builder's: check --platform"},
      {"failed to do request", "can the builder reach that registry?"},
      {"connection refused", "can the builder reach that address?"},
  };
  if (IsAccessRefusal(text)) {
    return "log in to the registry with the rights needed (docker login, or DOCKER_AUTH_CONFIG)";
  }
  if (Contains(text, "secret ") && Contains(text, "not found")) {
    return "give it with --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE";
  }
  bool missing = Contains(text, "not found") || Contains(text, "no such file or directory");
  if (missing && OfContext(text)) {
    return "is the file in the build context, and not excluded by .dockerignore?";
  }
  for (const Known& known : kKnown) {
    if (Contains(text, known.part)) return std::string(known.hint);
  }
  return "";
}

}  // namespace

Error SolveError(const rpc::Status& status) {
  Error error = rpc::ToError(status);
  std::string text = error.message();
  CutTransport(text);
  std::string hint = Hint(text);
  CutReference(text, "failed to calculate checksum of ref ", ": ");
  CutReference(text, "failed to compute cache key", ": ");
  // What the builder cannot reach is not the builder: that code is the lost link's alone.
  bool other = error.code() == ErrorCode::kUnavailable;
  return Error(other ? ErrorCode::kFailed : error.code(), std::move(text))
      .While("build failed")
      .WithHint(std::move(hint))
      .WithExcerpt(Excerpts(status.details));
}

}  // namespace depot::solve
