#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"

namespace depot::flags {

/// Checks and stores one value of a flag. A switch gets "true" or "false".
using FlagSetter = std::function<Result<>(const std::string& value)>;

/// Whether a flag takes a value.
enum class FlagKind { kSwitch, kText };

/// One flag of a command.
struct Flag {
  std::string_view name;  ///< without "--"
  char letter = 0;        ///< its short form; 0 = none
  FlagKind kind = FlagKind::kText;
  std::string_view value_name;  ///< what help calls the value: "string", "list", ...
  std::string_view help;        ///< "" = help does not show it, and no message suggests it
  FlagSetter set;
};

/// Where flags may stand.
enum class Placement {
  kAnywhere,    ///< flags may follow arguments, until "--" (a command that does the work)
  kBeforeWord,  ///< the first argument ends the flags (a command that has commands)
};

/// Parses `words` as Go's pflag does, which every Docker command uses: --flag=value, --flag value,
/// -tvalue, -t value, -t=value, letters in one word (-qt x), --switch=false, "--" ends the flags;
/// no abbreviations. Calls the setters in the order of the flags given, and returns the arguments.
/// A flag that is unknown (the nearest is named), refused or without its value is kUsage, and so is
/// a setter's error, which the setter words. A refused flag is not an error when
/// --help is there too. `table` has unique names and letters.
Result<std::vector<std::string>> ParseWords(const std::vector<Flag>& table,
                                            const std::vector<std::string>& words,
                                            Placement placement);

/// The flags of `table` that have a help text, sorted, in two columns of at most 80 together.
std::string FormatFlags(const std::vector<Flag>& table);

/// What is left of flags when those that they write into are gone.
std::vector<Flag> WithoutSetters(std::vector<Flag> table);

/// A setter for a switch, a plain text, a secret text; `target` must outlive it. The last value
/// wins.
FlagSetter Into(bool& target);
FlagSetter Into(std::string& target);
FlagSetter Into(Secret& target);

/// The same for a text that may be given several times.
FlagSetter Added(std::vector<std::string>& target);

/// A setter that parses a value into `target`, which must outlive it.
template <typename Value, typename Parse>
FlagSetter Parsed(Value& target, Parse parse) {
  return [&target, parse](const std::string& text) -> Result<> {
    TRY_ASSIGN(target, parse(text));
    return {};
  };
}

/// The same for a flag that may be repeated.
template <typename Value, typename Parse>
FlagSetter Added(std::vector<Value>& target, Parse parse) {
  return [&target, parse](const std::string& text) -> Result<> {
    TRY_ASSIGN(Value value, parse(text));
    target.push_back(std::move(value));
    return {};
  };
}

}  // namespace depot::flags
