#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/error.h"
#include "driver/base/yaml.h"
#include "pool/settings/settings.h"

namespace depot::settings {

/// The file that is being read, and the first thing that is wrong with it.
struct Source {
  std::string file;
  std::optional<Error> error;

  /// Remembers a kInvalid error with file and line, unless there is one already.
  void Wrong(int line, std::string_view what);

  /// A path of the file: relative ones are from its directory.
  std::string Resolve(const std::string& path) const;
};

/// Reads the values of one map. What is wrong goes to the Source and the value is empty: whoever
/// made the Source looks at the end whether there was anything. A key without a value is absent.
class Fields {
 public:
  /// `where` names the map to people ("builders"); other keys than `keys` are wrong. The Source and
  /// the node must outlive it.
  Fields(Source& source,
         const Yaml& node,
         std::string where,
         const std::vector<std::string_view>& keys);

  bool Has(std::string_view key) const { return Value(key) != nullptr; }

  /// The map of a key, or nullptr.
  const Yaml* Value(std::string_view key) const;

  std::string Text(std::string_view key, std::string_view otherwise = "");
  std::string RequiredText(std::string_view key);

  /// Letters, digits and any of `._-@`, at most 64: safe in logs, headers and YAML.
  std::string Name(std::string_view key, bool required = true);

  int Number(std::string_view key, int otherwise, int least, int most);
  bool Flag(std::string_view key);
  std::int64_t Time(std::string_view key);         ///< seconds since 1970; 0 = absent
  std::string Path(std::string_view key);          ///< resolved; "" = absent
  NamedFile File(std::string_view key);            ///< the same, to be read later
  std::string Content(std::string_view key);       ///< of the file that it names, at most 1 MiB
  std::string Certificates(std::string_view key);  ///< PEM text, or a path to it; "" = absent

  std::vector<std::string> Texts(std::string_view key);
  const std::vector<Yaml>& List(std::string_view key);

  /// Something is wrong with the value of `key`, or with the whole map when it is absent.
  void Wrong(std::string_view key, std::string_view what);

 private:
  int LineOf(std::string_view key) const;

  Source& source_;
  const Yaml& node_;
  std::string where_;
};

}  // namespace depot::settings
