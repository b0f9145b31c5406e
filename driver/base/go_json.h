#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/json.h"

/// JSON as Go's encoding/json writes it: `<`, `>`, `&`, U+2028 and U+2029 are escaped.
namespace depot {

/// Appends `text` as a string with its quotes; invalid UTF-8 becomes U+FFFD.
void AppendGoString(std::string_view text, std::string& out);

/// Writes a document from its start to its end, in the order in which it is told. One thread.
class GoJsonText {
 public:
  /// `indent` blanks for each level; < 0 gives one line without blanks.
  explicit GoJsonText(int indent) : indent_(indent) {}

  void Open(char bracket);
  void Close(char bracket);
  void Key(std::string_view key);  ///< what comes next is its value
  void Text(std::string_view text);
  void Bool(bool value) { Literal(value ? "true" : "false"); }
  void Literal(std::string_view json);  ///< a value in one piece

  std::string Take() { return std::move(out_); }

 private:
  void NewLine();
  void BeginValue();

  const int indent_;
  std::string out_;
  std::size_t depth_ = 0;
  bool is_first_ = true;  ///< in its array or object
  bool has_key_ = false;
};

/// In which order a Go program writes the members of its types.
struct MemberOrder {
  std::vector<std::string_view> first;  ///< in this order, in every object; all others after them
  /// Members that are maps: all that is in them, however deep, is sorted by byte alone.
  std::vector<std::string_view> maps;
};

/// For content whose digest must be that of a Go program's: members in `order`, the rest sorted by
/// byte. `indent` as of GoJsonText.
std::string FormatGoJson(const Json& json, int indent, const MemberOrder& order);

}  // namespace depot
