#include "driver/registry/challenge.h"

#include <algorithm>
#include <utility>

#include "driver/base/text.h"

namespace depot::registry {
namespace {

constexpr std::string_view kBlanks = " \t";

bool IsTokenCharacter(char c) {
  constexpr std::string_view kSeparators = "()<>@,;:\\\"/[]?={}";
  auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte < 0x7f && kSeparators.find(c) == std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  bool Take(char c) {
    bool there = rest_.starts_with(c);
    if (there) rest_.remove_prefix(1);
    return there;
  }

  void Skip(std::string_view characters) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
  }

  std::string TakeToken() {
    std::size_t size = 0;
    while (size < rest_.size() && IsTokenCharacter(rest_[size]))
      ++size;
    std::string token(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return token;
  }

  /// A token or a quoted string.
  std::string TakeValue() {
    if (!Take('"')) return TakeToken();
    std::string value;
    while (!done() && !Take('"')) {
      Take('\\');
      if (done()) break;
      value.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    return value;
  }

  void SkipOne() { rest_.remove_prefix(1); }

 private:
  std::string_view rest_;
};

}  // namespace

std::string Challenge::Parameter(const std::string& name) const {
  auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

std::vector<Challenge> ParseChallenges(std::string_view header) {
  std::vector<Challenge> challenges;
  Reader reader(header);
  while (true) {
    reader.Skip(" \t,");
    if (reader.done()) return challenges;
    std::string word = LowerAscii(reader.TakeToken());
    if (word.empty()) {
      reader.SkipOne();
      continue;
    }
    reader.Skip(kBlanks);
    if (!reader.Take('=')) {
      challenges.push_back({std::move(word), {}});
      continue;
    }
    reader.Skip(kBlanks);
    std::string value = reader.TakeValue();
    if (!challenges.empty())
      challenges.back().parameters.emplace(std::move(word), std::move(value));
  }
}

}  // namespace depot::registry
