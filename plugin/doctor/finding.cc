#include "plugin/doctor/finding.h"

#include <algorithm>

#include "driver/base/json.h"
#include "driver/base/text.h"

namespace depot::doctor {
namespace {

std::string_view WordFor(Health health) {
  switch (health) {
    case Health::kGood:
      return "good";
    case Health::kDoubtful:
      return "doubtful";
    case Health::kBad:
      return "bad";
  }
  return "bad";
}

}  // namespace

Finding BadFinding(std::string check, const Error& error) {
  return {std::move(check), Health::kBad, error.message(), error.hint(), error.at()};
}

std::string FindingsText(const std::vector<Finding>& findings) {
  std::size_t width = 0;
  for (const Finding& finding : findings)
    width = std::max(width, finding.check.size());
  std::string text;
  for (const Finding& finding : findings) {
    constexpr std::string_view kGood = "ok    ";
    const std::string_view mark = finding.health == Health::kGood       ? kGood
                                  : finding.health == Health::kDoubtful ? "?     "
                                                                        : "FAIL  ";
    const std::string pad(width - finding.check.size() + 2, ' ');
    text += Cat(mark, finding.check, pad, finding.text, '\n');
    if (!finding.fix.empty()) {
      text += Cat(std::string(kGood.size() + width + 2, ' '), "fix: ", finding.fix, '\n');
    }
  }
  return text;
}

std::string FindingsJson(const std::vector<Finding>& findings) {
  Json checks = Json::Array();
  bool good = true;
  for (const Finding& finding : findings) {
    good &= finding.health != Health::kBad;
    Json check = Json::Object();
    check.Set("check", Json::String(finding.check));
    check.Set("health", Json::String(WordFor(finding.health)));
    check.Set("text", Json::String(finding.text));
    check.Set("fix", Json::String(finding.fix));
    checks.Append(std::move(check));
  }
  Json report = Json::Object();
  report.Set("ok", Json::Bool(good));
  report.Set("checks", std::move(checks));
  return Cat(report.Dump(), '\n');
}

}  // namespace depot::doctor
