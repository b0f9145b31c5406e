#include "plugin/deliver/call_answer.h"

#include <algorithm>
#include <vector>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/excerpt.h"

namespace depot::deliver {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr std::size_t kMaxRanges = 100;

std::string PartOf(const Metadata& metadata, const std::string& key) {
  auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

/// Line by line: a builder is not to speak to the terminal.
std::string Lines(std::string_view text) {
  if (text.empty()) return "";
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::string out;
  for (std::string_view line : Split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    out += Cat(Printable(line), '\n');
  }
  return out;
}

Result<std::string> JsonText(const std::string& json) {
  if (json.empty()) return Fail(ErrorCode::kInvalid, "the frontend sent no answer in JSON");
  auto parsed = Json::Parse(json);
  if (!parsed) return Fail(std::move(parsed).error().While("the frontend's answer is no JSON"));
  // In JSON such characters can only be in strings, so that it stays JSON.
  return Lines(json);
}

/// The text for people; a frontend that has only JSON is shown by that. An outline with nothing in
/// it has no text, but is an answer.
Result<std::string> Text(const std::string& method, const Metadata& metadata) {
  std::string text = Lines(PartOf(metadata, "result.txt"));
  if (!text.empty()) return text;
  if (method == "outline" && metadata.contains("result.txt")) {
    return std::string("The target takes no build argument, secret, SSH agent or cache.\n");
  }
  return JsonText(PartOf(metadata, "result.json"));
}

bool IsPlace(std::string_view line, std::string_view filename) {
  return line.starts_with(Cat(filename, ':')) &&
         ParseDecimal(line.substr(filename.size() + 1)).has_value();
}

/// FILE:LINE above an excerpt, with the name that the user knows.
std::string Renamed(std::string_view text, std::string_view filename, std::string_view dockerfile) {
  if (dockerfile.empty() || filename.empty()) return std::string(text);
  std::vector<std::string> lines;
  for (std::string_view line : Split(text, '\n')) {
    lines.push_back(IsPlace(line, filename)
                        ? Cat(Printable(dockerfile), line.substr(filename.size()))
                        : std::string(line));
  }
  return Join(lines, "\n");
}

int LineOf(const Json& position) {
  return static_cast<int>(std::clamp<std::int64_t>(position["line"].AsInt(), 0, 1 << 30));
}

/// What keeps the Dockerfile from being built (BuildKit frontend/subrequests/lint).
Error BuildError(const Json& error, const Json& sources, const std::string& dockerfile) {
  const Json location = error["location"];
  const Json source = sources[static_cast<std::size_t>(
      std::clamp<std::int64_t>(location["sourceIndex"].AsInt(), 0, 1000))];
  std::vector<SourceRange> ranges;
  const Json list = location["ranges"];
  for (std::size_t i = 0; i < std::min(list.size(), kMaxRanges); ++i)
    ranges.push_back({LineOf(list[i]["start"]), LineOf(list[i]["end"])});
  const std::string excerpt =
      SourceExcerpt(dockerfile.empty() ? source["filename"].AsString() : dockerfile,
                    FromBase64(source["data"].AsString()).value_or(""), ranges);
  return Error(ErrorCode::kFailed, Printable(error["message"].AsString("the Dockerfile is wrong")))
      .WithExcerpt(excerpt);
}

Result<> ShowLint(const Metadata& metadata,
                  bool json,
                  const std::string& dockerfile,
                  CallAnswer& answer) {
  const std::string found = PartOf(metadata, "result.json");
  Json results;
  if (!found.empty()) {
    auto parsed = Json::Parse(found);
    if (!parsed) return Fail(std::move(parsed).error().While("the frontend's answer is no JSON"));
    results = *std::move(parsed);
  }
  answer.warnings = results["warnings"].size();
  answer.broken = results["buildError"].is_object();
  if (json) {
    TRY_ASSIGN(answer.text, JsonText(found));
  } else if (answer.warnings > 0) {
    TRY_ASSIGN(const std::string text, Text("lint", metadata));
    answer.text = answer.warnings == 1
                      ? std::string("Check complete, 1 warning has been found!\n")
                      : Cat("Check complete, ", answer.warnings, " warnings have been found!\n");
    if (!text.starts_with('\n')) answer.text += '\n';
    answer.text +=
        Renamed(text, results["sources"][std::size_t{0}]["filename"].AsString(), dockerfile);
  } else if (!answer.broken) {
    answer.text = "Check complete, no warnings found.\n";
  }
  if (answer.broken)
    answer.failure = BuildError(results["buildError"], results["sources"], dockerfile);
  return {};
}

/// What the exit code is to say.
std::optional<Error> Status(const options::FrontendCall& call,
                            const Metadata& metadata,
                            std::size_t warnings) {
  const std::uint64_t status = ParseDecimal(PartOf(metadata, "result.statuscode")).value_or(0);
  if (call.ignore_status || status == 0) return std::nullopt;
  std::string what =
      Cat("--call=", Printable(call.method), ": the frontend reports status ", status);
  if (call.method == "lint") {
    what = warnings == 1 ? "the check found 1 warning"
                         : Cat("the check found ", warnings, " warnings");
  }
  return Error(ErrorCode::kFailed, std::move(what));
}

}  // namespace

Result<CallAnswer> ShowAnswer(const options::FrontendCall& call,
                              const Metadata& metadata,
                              const std::string& dockerfile) {
  CallAnswer answer;
  if (call.method == "lint") {
    TRY(ShowLint(metadata, call.json, dockerfile, answer));
  } else if (call.json) {
    TRY_ASSIGN(answer.text, JsonText(PartOf(metadata, "result.json")));
  } else {
    TRY_ASSIGN(answer.text, Text(call.method, metadata));
  }
  if (!answer.failure) answer.failure = Status(call, metadata, answer.warnings);
  return answer;
}

}  // namespace depot::deliver
