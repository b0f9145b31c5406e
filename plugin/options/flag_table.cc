#include "plugin/options/flag_table.h"

#include <algorithm>
#include <optional>

#include <CLI/CLI.hpp>

#include "driver/base/text.h"

namespace depot::options {
namespace {

constexpr std::size_t kWidth = 80;

bool IsSwitch(const Flag& flag) {
  return flag.kind == FlagKind::kSwitch;
}

const Flag* Find(const std::vector<Flag>& table, std::string_view word) {
  bool is_long = word.starts_with("--");
  auto found = std::find_if(table.begin(), table.end(), [&](const Flag& flag) {
    if (is_long) return flag.name == word.substr(2);
    return word.size() == 2 && word[0] == '-' && flag.letter == word[1];
  });
  return found == table.end() ? nullptr : &*found;
}

bool LooksLikeFlag(std::string_view word) {
  return word.size() > 1 && word.front() == '-';
}

/// A command line cut where flags end.
struct Halves {
  std::vector<std::string> flags;  ///< with the arguments between them
  std::vector<std::string> rest;   ///< arguments only
};

/// Whether the word behind `word` is its value: --flag, -t, -qt.
bool TakesNextWord(const std::vector<Flag>& table, std::string_view word) {
  if (word.starts_with("--")) {
    const Flag* flag = Find(table, word);
    return flag != nullptr && !IsSwitch(*flag);
  }
  for (std::size_t i = 1; LooksLikeFlag(word) && i < word.size(); ++i) {
    const Flag* flag = Find(table, Cat('-', word[i]));
    if (flag == nullptr) return false;
    if (!IsSwitch(*flag)) return i + 1 == word.size();
  }
  return false;
}

/// Two forms that pflag takes and CLI11 does not. `--flag=` is the empty value, for which CLI11
/// would take the next word, so it becomes a word of its own; `-q=false` becomes `--quiet=false`.
std::vector<std::string> Respell(const std::vector<Flag>& table, const std::string& word) {
  std::size_t sign = word.find('=');
  const Flag* flag = sign == std::string::npos ? nullptr : Find(table, word.substr(0, sign));
  if (flag == nullptr) return {word};
  if (IsSwitch(*flag)) return {Cat("--", flag->name, word.substr(sign))};
  if (sign + 1 == word.size()) return {Cat("--", flag->name), ""};
  return {word};
}

Halves Cut(const std::vector<Flag>& table,
           const std::vector<std::string>& words,
           Placement placement) {
  Halves halves;
  bool is_value = false;
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (is_value) {
      halves.flags.push_back(*word);
      is_value = false;
      continue;
    }
    bool dashes = *word == "--";
    if (dashes || (placement == Placement::kBeforeWord && !LooksLikeFlag(*word))) {
      halves.rest.assign(dashes ? word + 1 : word, words.end());
      break;
    }
    is_value = TakesNextWord(table, *word);
    for (std::string& spelled : Respell(table, *word))
      halves.flags.push_back(std::move(spelled));
  }
  return halves;
}

Error UnknownFlag(const std::vector<Flag>& table, std::string_view word) {
  std::string name(word.substr(0, word.find('=')));
  std::string message = Cat("unknown flag: ", Printable(name));
  if (name.starts_with("--")) {
    std::vector<std::string_view> known;
    for (const Flag& flag : table) {
      if (flag.set) known.push_back(flag.name);
    }
    std::string_view nearest = Nearest(std::string_view(name).substr(2), known);
    if (!nearest.empty()) message += Cat(", did you mean --", nearest, "?");
  }
  return Error(ErrorCode::kUsage, message);
}

Result<> SetOne(const Flag& flag, std::string value) {
  if (IsSwitch(flag)) {
    std::optional<bool> on = ParseBool(value);
    if (!on) {
      return Fail(ErrorCode::kUsage,
                  Cat("--", flag.name, " is true or false, not \"", Printable(value), "\""));
    }
    return flag.set(*on ? "true" : "false");
  }
  // `-t=x`: pflag drops the sign, CLI11 does not. No value of a flag with a letter starts with one.
  if (flag.letter != 0 && value.starts_with('=')) value.erase(0, 1);
  return flag.set(value);
}

/// Translates CLI11's exceptions; nothing else throws here.
Result<> RunParser(CLI::App& app, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());
  try {
    app.parse(std::move(words));
  } catch (const CLI::ArgumentMismatch& error) {
    std::string_view text = error.what();
    return Fail(ErrorCode::kUsage, Cat("flag needs a value: ", text.substr(0, text.find(':'))));
  } catch (const CLI::Error& error) {
    return Fail(ErrorCode::kUsage, Cat("the command line cannot be read: ", error.what()));
  }
  return {};
}

std::vector<CLI::Option*> Declare(CLI::App& app, const std::vector<Flag>& table) {
  std::vector<CLI::Option*> options;
  CLI::callback_t keep = [](const CLI::results_t&) { return true; };
  for (const Flag& flag : table) {
    std::string names = Cat("--", flag.name);
    if (flag.letter != 0) names = Cat("-", flag.letter, ",", names);
    CLI::Option* option = app.add_option(names, keep, "");
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    option->expected(IsSwitch(flag) ? 0 : 1);
    option->allow_extra_args(false);
    options.push_back(option);
  }
  return options;
}

Result<> Apply(const std::vector<Flag>& table, const std::vector<CLI::Option*>& options) {
  bool help = std::any_of(options.begin(), options.end(), [](const CLI::Option* option) {
    return option->check_lname("help") && option->count() > 0;
  });
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (options[i]->count() == 0 || table[i].set || help) continue;
    return Fail(ErrorCode::kUsage, Cat("--", table[i].name, " is not supported yet"));
  }
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (!table[i].set) continue;
    for (const std::string& value : options[i]->results())
      TRY(SetOne(table[i], value));
  }
  return {};
}

std::string LeftColumn(const Flag& flag) {
  std::string left =
      flag.letter != 0 ? Cat("  -", flag.letter, ", --", flag.name) : Cat("      --", flag.name);
  return IsSwitch(flag) ? left : Cat(left, " ", flag.value_name);
}

}  // namespace

Result<std::vector<std::string>> ParseWords(const std::vector<Flag>& table,
                                            const std::vector<std::string>& words,
                                            Placement placement) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<CLI::Option*> options = Declare(app, table);
  Halves halves = Cut(table, words, placement);
  TRY(RunParser(app, std::move(halves.flags)));
  std::vector<std::string> arguments = app.remaining();
  for (const std::string& word : arguments) {
    if (LooksLikeFlag(word)) return Fail(UnknownFlag(table, word));
  }
  TRY(Apply(table, options));
  arguments.insert(arguments.end(), halves.rest.begin(), halves.rest.end());
  return arguments;
}

std::string FormatFlags(const std::vector<Flag>& table) {
  std::vector<const Flag*> shown;
  std::size_t column = 0;
  for (const Flag& flag : table) {
    if (!flag.set) continue;
    shown.push_back(&flag);
    column = std::max(column, LeftColumn(flag).size() + 3);
  }
  std::sort(shown.begin(), shown.end(),
            [](const Flag* a, const Flag* b) { return a->name < b->name; });
  std::string out;
  for (const Flag* flag : shown) {
    std::string line = LeftColumn(*flag);
    line.resize(column, ' ');
    for (std::string_view word : Split(flag->help, ' ')) {
      if (line.size() + word.size() > kWidth) {
        out += Cat(Trim(line).empty() ? "" : line.substr(0, line.find_last_not_of(' ') + 1), "\n");
        line.assign(column, ' ');
      }
      line += Cat(word, " ");
    }
    out += Cat(line.substr(0, line.find_last_not_of(' ') + 1), "\n");
  }
  return out;
}

FlagSetter Into(bool& target) {
  return [&target](const std::string& value) -> Result<> {
    target = value == "true";
    return {};
  };
}

FlagSetter Into(std::string& target) {
  return [&target](const std::string& value) -> Result<> {
    target = value;
    return {};
  };
}

}  // namespace depot::options
