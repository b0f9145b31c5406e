#include "driver/flags/flag_table.h"

#include <algorithm>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::flags {
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

Error UnknownFlag(const std::vector<Flag>& table, std::string_view word) {
  std::string name(word.substr(0, word.find('=')));
  std::string message = Cat("unknown flag: ", Printable(name));
  if (name.starts_with("--")) {
    std::vector<std::string_view> known;
    for (const Flag& flag : table) {
      if (!flag.help.empty()) known.push_back(flag.name);
    }
    std::string_view nearest = Nearest(std::string_view(name).substr(2), known);
    if (!nearest.empty()) message += Cat(", did you mean --", nearest, "?");
  }
  return Error(ErrorCode::kUsage, message);
}

Result<> SetOne(const Flag& flag, const std::string& value) {
  if (IsSwitch(flag)) {
    std::optional<bool> on = ParseBool(value);
    if (!on) {
      return Fail(ErrorCode::kUsage,
                  Cat("--", flag.name, " is true or false, not \"", Printable(value), "\""));
    }
    return flag.set(*on ? "true" : "false");
  }
  return flag.set(value);
}

/// A flag of the command line with its value; switches have one too.
struct Given {
  const Flag* flag;
  std::string value;
};

/// Takes a command line apart, from its beginning to its end. `table` and `words` outlive it.
class Tokeniser {
 public:
  Tokeniser(const std::vector<Flag>& table, const std::vector<std::string>& words)
      : table_(table), next_(words.begin()), end_(words.end()) {}

  Result<> Run(Placement placement) {
    while (next_ != end_) {
      const std::string& word = *next_++;
      if (word == "--") break;
      if (LooksLikeFlag(word)) {
        TRY(word[1] == '-' ? TakeName(word) : TakeLetters(word));
        continue;
      }
      arguments_.push_back(word);
      if (placement == Placement::kBeforeWord) break;
    }
    arguments_.insert(arguments_.end(), next_, end_);
    return {};
  }

  const std::vector<Given>& given() const { return given_; }
  std::vector<std::string>& arguments() { return arguments_; }

 private:
  /// --flag, --flag=value
  Result<> TakeName(std::string_view word) {
    std::size_t sign = word.find('=');
    const Flag* flag = Find(table_, word.substr(0, sign));
    if (flag == nullptr) return Fail(UnknownFlag(table_, word));
    if (sign == std::string_view::npos) return TakeBare(*flag);
    given_.push_back({flag, std::string(word.substr(sign + 1))});
    return {};
  }

  /// -q, -qt, -tvalue, -t=value, -q=false
  Result<> TakeLetters(std::string_view word) {
    for (word.remove_prefix(1); !word.empty();) {
      const Flag* flag = Find(table_, Cat('-', word[0]));
      if (flag == nullptr) return Fail(UnknownFlag(table_, Cat('-', word[0])));
      word.remove_prefix(1);
      bool sign = word.starts_with('=');
      if (sign || (!IsSwitch(*flag) && !word.empty())) {
        given_.push_back({flag, std::string(word.substr(sign ? 1 : 0))});
        return {};
      }
      TRY(TakeBare(*flag));
    }
    return {};
  }

  /// The value, if the flag needs one, is the next word, whatever it looks like.
  Result<> TakeBare(const Flag& flag) {
    if (!IsSwitch(flag) && next_ == end_) {
      return Fail(ErrorCode::kUsage, Cat("flag needs a value: --", flag.name));
    }
    given_.push_back({&flag, IsSwitch(flag) ? "true" : *next_++});
    return {};
  }

  const std::vector<Flag>& table_;
  std::vector<std::string>::const_iterator next_;
  const std::vector<std::string>::const_iterator end_;
  std::vector<Given> given_;
  std::vector<std::string> arguments_;
};

Result<> Apply(const std::vector<Given>& given) {
  for (const Given& one : given)
    TRY(SetOne(*one.flag, one.value));
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
  Tokeniser line(table, words);
  TRY(line.Run(placement));
  TRY(Apply(line.given()));
  return std::move(line.arguments());
}

std::string FormatFlags(const std::vector<Flag>& table) {
  std::vector<const Flag*> shown;
  std::size_t column = 0;
  for (const Flag& flag : table) {
    if (flag.help.empty()) continue;
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

std::vector<Flag> WithoutSetters(std::vector<Flag> table) {
  for (Flag& flag : table)
    flag.set = nullptr;
  return table;
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

FlagSetter Added(std::vector<std::string>& target) {
  return [&target](const std::string& value) -> Result<> {
    target.push_back(value);
    return {};
  };
}

FlagSetter Into(Secret& target) {
  return [&target](const std::string& value) -> Result<> {
    target = Secret(value);
    return {};
  };
}

}  // namespace depot::flags
