#include "plugin/options/context_flags.h"

#include <string>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::options {

Result<ContextTimes> ParseContextTimes(std::string_view name, std::string_view value) {
  if (value == "content") return ContextTimes::kContent;
  if (value == "file") return ContextTimes::kFile;
  return Fail(Error(ErrorCode::kUsage, Cat(name, ": unknown times \"", Printable(value), '"'))
                  .WithHint("content and file are known"));
}

Result<std::optional<ContextTimes>> WantedContextTimes(const ContextOptions& options,
                                                       const Environment& environment) {
  constexpr std::string_view kVariable = "DEPOT_CONTEXT_TIMES";
  if (options.times) return options.times;
  const std::string value = TrimmedVariable(environment, std::string(kVariable));
  if (value.empty()) return std::nullopt;
  TRY_ASSIGN(const ContextTimes times, OfSetting("", ParseContextTimes(kVariable, value)));
  return times;
}

std::vector<flags::Flag> ContextFlags(ContextOptions& into) {
  return {
      {"context-times", 0, flags::FlagKind::kText, "string",
       "Times of the files of local contexts as the builder is told them: \"content\" (an "
       "unchanged "
       "file does not travel again from a fresh clone) or \"file\"; in CI and a git checkout "
       "\"content\" is the default",
       [&into](const std::string& text) -> Result<> {
         TRY_ASSIGN(into.times, ParseContextTimes("--context-times", text));
         return {};
       }},
      {"context-compression", 0, flags::FlagKind::kText, "string",
       "\"auto\": contexts are sent packed while the link is slower than packing, to builders that "
       "know it; \"off\": never",
       [&into](const std::string& text) -> Result<> {
         if (text != "auto" && text != "off") {
           return Fail(Error(ErrorCode::kUsage,
                             Cat("--context-compression: unknown word \"", Printable(text), '"'))
                           .WithHint("auto and off are known"));
         }
         into.packed = text == "auto";
         return {};
       }},
      {"normalize-modes", 0, flags::FlagKind::kText, "string",
       "\"git\": the files of local contexts are sent with the permissions that git knows, 0755 "
       "and "
       "0644, whatever the umask was; \"off\" is the default",
       [&into](const std::string& text) -> Result<> {
         if (text != "git" && text != "off") {
           return Fail(Error(ErrorCode::kUsage,
                             Cat("--normalize-modes: unknown modes \"", Printable(text), '"'))
                           .WithHint("git and off are known"));
         }
         into.git_modes = text == "git";
         return {};
       }},
  };
}

}  // namespace depot::options
