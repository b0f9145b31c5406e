#include "plugin/options/call_flags.h"

#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

Result<> ReadField(std::string_view flag, const std::string& field, FrontendCall& call) {
  const std::size_t sign = field.find('=');
  if (sign == std::string::npos) {
    if (!call.method.empty()) {
      return Fail(Usage(Cat(flag, ": two methods, ", Printable(call.method), " and ",
                            Printable(field), "; give one")));
    }
    call.method = field;
    return {};
  }
  const std::string key = field.substr(0, sign);
  const std::string value = field.substr(sign + 1);
  if (key == "format") {
    if (value != "json" && value != "text" && !value.empty()) {
      return Fail(Usage(Cat(flag, ": the format is text or json, not \"", Printable(value), '"')));
    }
    call.json = value == "json";
    return {};
  }
  if (key == "ignorestatus") {
    const std::optional<bool> ignore = ParseBool(value);
    if (!ignore) {
      return Fail(
          Usage(Cat(flag, ": ignorestatus is true or false, not \"", Printable(value), '"')));
    }
    call.ignore_status = *ignore;
    return {};
  }
  return Fail(Usage(Cat(flag, ": unknown key \"", Printable(key), '"',
                        Suggest(key, {"format", "ignorestatus"}))));
}

flags::FlagSetter SetCall(const char* flag, FrontendCall& call) {
  return flags::Parsed(call, [flag](const std::string& value) { return ParseCall(flag, value); });
}

flags::FlagSetter SetCheck(FrontendCall& call) {
  return [&call](const std::string& value) -> Result<> {
    if (value == "true") call = {"lint", false, false};
    return {};
  };
}

}  // namespace

Result<FrontendCall> ParseCall(std::string_view flag, std::string_view value) {
  auto fields = SplitRecord(value);
  if (!fields) return Fail(std::move(fields).error().While(flag));
  FrontendCall call;
  for (const std::string& field : *fields)
    TRY(ReadField(flag, field, call));
  if (call.method.empty()) {
    return Fail(Usage(Cat(flag, ": the method is missing"))
                    .WithHint("write check, outline, targets, or build for a build"));
  }
  if (call.method == "check") call.method = "lint";
  if (call.method == "build") return FrontendCall();
  return call;
}

Result<LintFailure> ParseLintFailure(const std::string& value) {
  const std::string word = LowerAscii(value);
  if (word == "error") return LintFailure::kError;
  if (word == "warn" || word == "warning" || word == "info") return LintFailure::kWarning;
  if (word == "none") return LintFailure::kNone;
  return Fail(Usage(Cat("--lint-fail-on: unknown severity \"", Printable(value), '"',
                        Suggest(word, {"info", "warn", "error", "none"}))));
}

std::vector<flags::Flag> CallFlags(FrontendCall& call, Lint& lint) {
  return {
      {"call", 0, kText, "string",
       "Ask the Dockerfile's frontend instead of building: \"check\", \"outline\", \"targets\" "
       "(format: \"METHOD[,format=json][,ignorestatus=true]\")",
       SetCall("--call", call)},
      {"check", 0, kSwitch, "", "Shorthand for \"--call=check\"", SetCheck(call)},
      {"print", 0, kText, "", "", SetCall("--print", call)},
      {"lint", 0, kSwitch, "", "Check the Dockerfile before it is built", flags::Into(lint.wanted)},
      {"lint-fail-on", 0, kText, "string",
       "Severity from which on --lint ends the build: \"info\", \"warn\", \"error\", \"none\" "
       "(default \"error\")",
       flags::Parsed(lint.fails_on, ParseLintFailure)},
  };
}

}  // namespace depot::options
