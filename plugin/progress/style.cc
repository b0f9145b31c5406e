#include "plugin/progress/style.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::size_t kShortName = 72;
constexpr std::size_t kMostLogLines = 1000;
constexpr std::uint64_t kMostMilliseconds = 60'000;

/// The names of BuildKit's colors.go.
std::optional<std::string> NamedColour(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {"black", "red",     "green", "yellow",
                                                      "blue",  "magenta", "cyan",  "white"};
  const bool light = name.starts_with("light-");
  if (light) name.remove_prefix(6);
  auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return Cat("\x1b[", (light ? 90 : 30) + (found - kNames.begin()), 'm');
}

/// A name, or RED,GREEN,BLUE with 0 to 255 each.
std::optional<std::string> ParseColour(std::string_view text) {
  if (auto named = NamedColour(LowerAscii(text))) return named;
  std::vector<std::string_view> parts = Split(text, ',');
  if (parts.size() != 3) return std::nullopt;
  std::string sequence = "\x1b[38;2";
  for (std::string_view part : parts) {
    std::optional<std::uint64_t> level = ParseDecimal(Trim(part));
    if (!level || *level > 255) return std::nullopt;
    sequence += Cat(';', *level);
  }
  return Cat(sequence, 'm');
}

/// BUILDKIT_COLORS: run=COLOUR:cancel=COLOUR:error=COLOUR:warning=COLOUR, any of them.
void ReadColours(std::string_view value, Colours& colours, std::vector<std::string>& lines) {
  for (std::string_view entry : Split(value, ':')) {
    const std::size_t equals = std::min(entry.find('='), entry.size());
    const std::string key = LowerAscii(Trim(entry.substr(0, equals)));
    std::string* place = key == "run"       ? &colours.run
                         : key == "cancel"  ? &colours.cancel
                         : key == "error"   ? &colours.error
                         : key == "warning" ? &colours.warning
                                            : nullptr;
    std::optional<std::string> colour;
    if (equals < entry.size()) colour = ParseColour(Trim(entry.substr(equals + 1)));
    if (place != nullptr && colour) {
      *place = *colour;
    } else {
      lines.push_back(Cat("BUILDKIT_COLORS: \"", Printable(entry),
                          "\" has no effect: it is not run, cancel, error or warning, '=' and the "
                          "name of a colour or R,G,B"));
    }
  }
}

/// A whole number above 0; nullopt when there is none, which is said.
std::optional<std::size_t> ReadNumber(const Environment& environment,
                                      const std::string& name,
                                      std::uint64_t most,
                                      std::vector<std::string>& lines) {
  const std::string value = TrimmedVariable(environment, name);
  if (value.empty()) return std::nullopt;
  std::optional<std::uint64_t> number = ParseDecimal(value);
  if (number && *number > 0) return static_cast<std::size_t>(std::min(*number, most));
  lines.push_back(
      Cat(name, "=", Printable(value), " has no effect: it is no whole number above 0"));
  return std::nullopt;
}

/// Most terminals do today; these are known not to.
bool Reflows(const Environment& environment) {
  const std::string kind = Variable(environment, "TERM");
  if (!Variable(environment, "TMUX").empty()) return true;
  return Variable(environment, "XTERM_VERSION").empty() && !kind.starts_with("linux") &&
         !kind.starts_with("rxvt") && !kind.starts_with("screen") && !kind.starts_with("vt");
}

}  // namespace

Style ReadStyle(const Environment& environment, std::vector<std::string>& lines) {
  Style style;
  // What GitLab shows its log with has colours, whatever the job's shell believes.
  const bool dumb =
      Variable(environment, "TERM") == "dumb" && Variable(environment, "GITLAB_CI").empty();
  if (dumb || !Variable(environment, "NO_COLOR").empty()) {
    style.colours = {"", "", "", "", "", ""};
    style.tools_colours = false;
  } else if (std::string value = TrimmedVariable(environment, "BUILDKIT_COLORS"); !value.empty()) {
    ReadColours(value, style.colours, lines);
  }
  if (auto number = ReadNumber(environment, "BUILDKIT_TTY_LOG_LINES", kMostLogLines, lines)) {
    style.log_lines = *number;
  }
  if (auto number = ReadNumber(environment, "TTY_DISPLAY_RATE", kMostMilliseconds, lines)) {
    style.pace = style.tick = std::chrono::milliseconds(*number);
  }
  const std::string whole_names = TrimmedVariable(environment, "PROGRESS_NO_TRUNC");
  if (!ParseBool(whole_names).value_or(true)) style.name_limit = kShortName;
  style.reflows = Reflows(environment);
  return style;
}

std::string Painted(std::string_view colour, std::string_view text) {
  return colour.empty() ? std::string(text) : Cat(colour, text, "\x1b[0m");
}

}  // namespace depot
