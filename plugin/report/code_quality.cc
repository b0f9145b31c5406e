#include "plugin/report/code_quality.h"

#include <algorithm>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::report {
namespace {

/// The rule's name stands before the text: "StageNameCasing: Stage name ..." (BuildKit
/// frontend/dockerfile/linter).
std::string CheckOf(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(": "));
  const bool one = word.size() < text.size() && word.find(' ') == std::string_view::npos;
  return one ? std::string(word) : "DockerfileWarning";
}

}  // namespace

void CodeQuality::Take(const VertexWarning& warning) {
  if (findings_.size() >= kMost) return;
  Finding finding;
  finding.text = Printable(RedactUrls(warning.short_text));
  finding.check = CheckOf(finding.text);
  finding.path = dockerfile_.empty() ? Printable(warning.filename) : dockerfile_;
  if (finding.path.empty()) finding.path = "Dockerfile";
  if (!warning.ranges.empty()) finding.line = std::max(warning.ranges.front().start_line, 1);
  // The line is left out: a finding that moved is the same one to GitLab.
  std::string print = Sha256Hex(Cat(finding.path, '\n', finding.text));
  findings_.emplace(std::move(print), std::move(finding));
}

std::string CodeQuality::Text() const {
  Json report = Json::Array();
  for (const auto& [fingerprint, finding] : findings_) {
    Json lines = Json::Object();
    lines.Set("begin", Json::Number(finding.line));
    Json location = Json::Object();
    location.Set("path", Json::String(finding.path));
    location.Set("lines", std::move(lines));
    Json entry = Json::Object();
    entry.Set("type", Json::String("issue"));
    entry.Set("check_name", Json::String(finding.check));
    entry.Set("description", Json::String(finding.text));
    entry.Set("fingerprint", Json::String(fingerprint));
    entry.Set("severity", Json::String("minor"));
    entry.Set("location", std::move(location));
    report.Append(std::move(entry));
  }
  return Cat(report.Dump(), '\n');
}

}  // namespace depot::report
