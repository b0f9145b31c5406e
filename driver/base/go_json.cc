#include "driver/base/go_json.h"

#include <algorithm>
#include <cstddef>

#include "driver/base/text.h"

namespace depot {
namespace {

class GoJsonWriter {
 public:
  GoJsonWriter(int indent, const MemberOrder& order) : indent_(indent), order_(order) {}

  void Write(const Json& json, int depth, bool is_map) {
    switch (json.type()) {
      case Json::Type::kString:
        WriteString(json.AsString());
        return;
      case Json::Type::kObject:
        WriteObject(json, depth, is_map);
        return;
      case Json::Type::kArray:
        WriteArray(json, depth, is_map);
        return;
      default:
        out_ += json.Dump();
    }
  }

  std::string Take() { return std::move(out_); }

 private:
  std::size_t RankOf(std::string_view key) const {
    return static_cast<std::size_t>(std::find(order_.first.begin(), order_.first.end(), key) -
                                    order_.first.begin());
  }

  void NewLine(int depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
  }

  void WriteObject(const Json& json, int depth, bool is_map) {
    std::vector<std::string> keys = json.Keys();
    if (!is_map) {
      std::stable_sort(keys.begin(), keys.end(), [this](const auto& left, const auto& right) {
        return RankOf(left) < RankOf(right);
      });
    }
    out_ += '{';
    for (const std::string& key : keys) {
      if (&key != &keys.front()) out_ += ',';
      NewLine(depth + 1);
      WriteString(key);
      out_ += indent_ < 0 ? ":" : ": ";
      const bool map =
          is_map || std::find(order_.maps.begin(), order_.maps.end(), key) != order_.maps.end();
      Write(json[key], depth + 1, map);
    }
    if (!keys.empty()) NewLine(depth);
    out_ += '}';
  }

  void WriteArray(const Json& json, int depth, bool is_map) {
    out_ += '[';
    for (std::size_t i = 0; i < json.size(); ++i) {
      if (i > 0) out_ += ',';
      NewLine(depth + 1);
      Write(json[i], depth + 1, is_map);
    }
    if (json.size() > 0) NewLine(depth);
    out_ += ']';
  }

  /// nlohmann's escapes are Go's, except for what could end a script or a line of one.
  void WriteString(std::string_view text) {
    const std::string plain = Json::String(text).Dump();
    if (plain.find_first_of("<>&\xE2") == std::string::npos) {
      out_ += plain;
      return;
    }
    for (std::size_t i = 0; i < plain.size(); ++i) {
      const std::string_view rest = std::string_view(plain).substr(i);
      if (plain[i] == '<') {
        out_ += "\\u003c";
      } else if (plain[i] == '>') {
        out_ += "\\u003e";
      } else if (plain[i] == '&') {
        out_ += "\\u0026";
      } else if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9")) {
        out_ += plain[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
        i += 2;
      } else {
        out_ += plain[i];
      }
    }
  }

  const int indent_;
  const MemberOrder& order_;
  std::string out_;
};

}  // namespace

std::string FormatGoJson(const Json& json, int indent, const MemberOrder& order) {
  GoJsonWriter writer(indent, order);
  writer.Write(json, 0, false);
  return writer.Take();
}

}  // namespace depot
