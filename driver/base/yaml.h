#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"

namespace depot {

/// One node of a YAML document, with the line it begins on; the only way to read YAML here. Values
/// stay texts: the reader decides what `yes` or `08` mean.
struct Yaml {
  /// kNull: nothing, `~` or `null`.
  enum class Kind { kNull, kText, kList, kMap };

  // Defined in the .cc file: clang 14 cannot make them up while the struct is incomplete.
  Yaml();
  Yaml(const Yaml&);
  Yaml(Yaml&&) noexcept;
  Yaml& operator=(const Yaml&);
  Yaml& operator=(Yaml&&) noexcept;
  ~Yaml();

  Kind kind = Kind::kNull;
  std::string text;                                ///< kText
  std::vector<Yaml> items;                         ///< kList
  std::vector<std::pair<std::string, Yaml>> keys;  ///< kMap, in order
  int line = 0;                                    ///< 1-based
  /// kText: written in quotes or as a block, so that it is a text whatever it looks like.
  bool quoted = false;
  std::string tag;  ///< of its own, as in "!reset"; "" = none

  /// The value of a key of a map, or nullptr.
  const Yaml* Find(std::string_view key) const;
};

/// Reads one document (JSON is YAML too); an empty text is kNull. kInvalid with the line: what is
/// not YAML, a key that stands twice, anchors and aliases (a few bytes of them can mean gigabytes),
/// nesting deeper than 64.
Result<Yaml> ParseYaml(std::string_view text);

/// The same with anchors and aliases, which become copies, and merge keys (`<<`), which become the
/// keys that they bring. kInvalid when all of it together would be more than `most` nodes, each 32
/// bytes of text counting as one more.
Result<Yaml> ParseYamlWithAliases(std::string_view text, std::size_t most);

}  // namespace depot
