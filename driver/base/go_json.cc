#include "driver/base/go_json.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace depot {
namespace {

bool IsPlain(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/// Writes a document that is there already.
class GoJsonWriter {
 public:
  GoJsonWriter(int indent, const MemberOrder& order) : out_(indent), order_(order) {}

  void Write(const Json& json, bool is_map) {
    switch (json.type()) {
      case Json::Type::kString:
        out_.Text(json.AsString());
        return;
      case Json::Type::kObject:
        WriteObject(json, is_map);
        return;
      case Json::Type::kArray:
        out_.Open('[');
        for (std::size_t i = 0; i < json.size(); ++i)
          Write(json[i], is_map);
        out_.Close(']');
        return;
      default:
        out_.Literal(json.Dump());
    }
  }

  std::string Take() { return out_.Take(); }

 private:
  std::size_t RankOf(std::string_view key) const {
    return static_cast<std::size_t>(std::find(order_.first.begin(), order_.first.end(), key) -
                                    order_.first.begin());
  }

  void WriteObject(const Json& json, bool is_map) {
    std::vector<std::string> keys = json.Keys();
    if (!is_map) {
      std::stable_sort(keys.begin(), keys.end(), [this](const auto& left, const auto& right) {
        return RankOf(left) < RankOf(right);
      });
    }
    out_.Open('{');
    for (const std::string& key : keys) {
      out_.Key(key);
      Write(json[key],
            is_map || std::find(order_.maps.begin(), order_.maps.end(), key) != order_.maps.end());
    }
    out_.Close('}');
  }

  GoJsonText out_;
  const MemberOrder& order_;
};

}  // namespace

void AppendGoString(std::string_view text, std::string& out) {
  if (std::all_of(text.begin(), text.end(), IsPlain)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  // nlohmann's escapes are Go's, except for what could end a script or a line of one.
  const std::string dumped = Json::String(text).Dump();
  for (std::size_t i = 0; i < dumped.size(); ++i) {
    const std::string_view rest = std::string_view(dumped).substr(i);
    if (dumped[i] == '<') {
      out += "\\u003c";
    } else if (dumped[i] == '>') {
      out += "\\u003e";
    } else if (dumped[i] == '&') {
      out += "\\u0026";
    } else if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9")) {
      out += dumped[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += dumped[i];
    }
  }
}

void GoJsonText::NewLine() {
  if (indent_ < 0) return;
  out_ += '\n';
  out_.append(static_cast<std::size_t>(indent_) * depth_, ' ');
}

void GoJsonText::BeginValue() {
  if (std::exchange(has_key_, false) || depth_ == 0) return;
  if (!std::exchange(is_first_, false)) out_ += ',';
  NewLine();
}

void GoJsonText::Key(std::string_view key) {
  BeginValue();
  AppendGoString(key, out_);
  out_ += indent_ < 0 ? ":" : ": ";
  has_key_ = true;
}

void GoJsonText::Open(char bracket) {
  BeginValue();
  out_ += bracket;
  ++depth_;
  is_first_ = true;
}

void GoJsonText::Close(char bracket) {
  --depth_;
  if (!std::exchange(is_first_, false)) NewLine();
  out_ += bracket;
}

void GoJsonText::Text(std::string_view text) {
  BeginValue();
  AppendGoString(text, out_);
}

void GoJsonText::Literal(std::string_view json) {
  BeginValue();
  out_ += json;
}

std::string FormatGoJson(const Json& json, int indent, const MemberOrder& order) {
  GoJsonWriter writer(indent, order);
  writer.Write(json, false);
  return writer.Take();
}

}  // namespace depot
