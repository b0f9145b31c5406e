#include "pool/arguments.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {

std::string Arguments::Option(const std::string& name, const std::string& otherwise) const {
  auto found = options.find(name);
  return found == options.end() ? otherwise : found->second;
}

Result<Arguments> ParseArguments(const std::vector<std::string>& words,
                                 const std::vector<std::string_view>& known) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h") {
      arguments.help = true;
      continue;
    }
    if (!word.starts_with('-') || word == "-") {
      arguments.words.push_back(word);
      continue;
    }
    std::size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string_view near = Nearest(name, known);
      return Fail(
          Error(ErrorCode::kUsage, Cat("unknown option ", Printable(name)))
              .WithHint(near.empty() ? "see depot-pool --help" : Cat("did you mean ", near, '?')));
    }
    if (equals != std::string::npos) {
      arguments.options[name] = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      arguments.options[name] = words[++i];
    } else {
      return Fail(ErrorCode::kUsage, Cat(name, " needs a value"));
    }
  }
  return arguments;
}

Result<std::int64_t> ParseDuration(const std::string& text) {
  constexpr std::int64_t kDay = 24 * std::int64_t{3600};
  constexpr std::uint64_t kLongest = 3650 * kDay;
  std::uint64_t unit = text.ends_with('d') ? kDay : text.ends_with('h') ? 3600 : 60;
  std::optional<std::uint64_t> count;
  if (text.ends_with('d') || text.ends_with('h') || text.ends_with('m')) {
    count = ParseDecimal(std::string_view(text).substr(0, text.size() - 1));
  }
  if (!count || *count == 0 || *count > kLongest / unit) {
    return Fail(Error(ErrorCode::kUsage, Cat("\"", Printable(text), "\" is not a duration"))
                    .WithHint("write 30d, 12h or 45m; at most 3650d"));
  }
  return static_cast<std::int64_t>(*count * unit);
}

}  // namespace depot
