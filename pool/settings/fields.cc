#include "pool/settings/fields.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/settings/timestamp.h"

namespace depot::settings {
namespace {

constexpr std::size_t kMaxName = 64;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-@").find(c) != std::string_view::npos;
}

}  // namespace

void Source::Wrong(int line, std::string_view what) {
  if (!error) error = Error(ErrorCode::kInvalid, Cat(Printable(file), ": line ", line, ": ", what));
}

std::string Source::Resolve(const std::string& path) const {
  const std::size_t slash = file.rfind('/');
  if (path.starts_with('/') || slash == std::string::npos) return path;
  return file.substr(0, slash + 1) + path;
}

Fields::Fields(Source& source,
               const Yaml& node,
               std::string where,
               const std::vector<std::string_view>& keys)
    : source_(source), node_(node), where_(std::move(where)) {
  if (node.kind != Yaml::Kind::kMap) {
    std::vector<std::string> names(keys.begin(), keys.end());
    source_.Wrong(node.line, Cat(where_, ": must be a map with ", Join(names, ", ")));
  }
  for (const auto& [key, value] : node.keys) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::string_view nearest = Nearest(key, keys);
    source_.Wrong(value.line, Cat(where_, ": unknown key ", Printable(key),
                                  nearest.empty() ? "" : ", did you mean ", nearest,
                                  nearest.empty() ? "" : "?"));
  }
}

const Yaml* Fields::Value(std::string_view key) const {
  const Yaml* value = node_.Find(key);
  return value == nullptr || value->kind == Yaml::Kind::kNull ? nullptr : value;
}

std::string Fields::Text(std::string_view key, std::string_view otherwise) {
  const Yaml* value = Value(key);
  if (value == nullptr) return std::string(otherwise);
  if (value->kind != Yaml::Kind::kText) Wrong(key, "must be a text");
  return value->text;
}

std::string Fields::RequiredText(std::string_view key) {
  std::string text = Text(key);
  if (text.empty()) Wrong(key, "is missing");
  return text;
}

std::string Fields::Name(std::string_view key, bool required) {
  std::string name = required ? RequiredText(key) : Text(key);
  if (name.size() > kMaxName || !std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    Wrong(key, Cat("must be letters, digits and . _ - @, at most ", kMaxName));
  }
  return name;
}

int Fields::Number(std::string_view key, int otherwise, int least, int most) {
  if (!Has(key)) return otherwise;
  const std::optional<std::uint64_t> number = ParseDecimal(Text(key));
  if (number && *number >= static_cast<std::uint64_t>(least) &&
      *number <= static_cast<std::uint64_t>(most)) {
    return static_cast<int>(*number);
  }
  Wrong(key, Cat("must be a whole number from ", least, " to ", most));
  return otherwise;
}

bool Fields::Flag(std::string_view key) {
  const std::string text = Text(key, "false");
  if (text != "true" && text != "false") Wrong(key, "must be true or false");
  return text == "true";
}

std::int64_t Fields::Time(std::string_view key) {
  if (!Has(key)) return 0;
  const std::optional<std::int64_t> time = ParseTime(Text(key));
  if (!time || *time <= 0) {
    Wrong(key, "must be a time like 2026-12-31T18:00:00Z, or a date like 2026-12-31");
  }
  return time.value_or(0);
}

std::string Fields::Path(std::string_view key) {
  const std::string path = Text(key);
  return path.empty() ? "" : source_.Resolve(path);
}

NamedFile Fields::File(std::string_view key) {
  return {Path(key), Cat(Printable(source_.file), ": line ", LineOf(key), ": ", where_, ": ", key)};
}

std::string Fields::Content(std::string_view key) {
  Result<std::string> content = ReadNamedFile(File(key));
  if (content) return *std::move(content);
  const Error& why = content.error();
  if (!source_.error)
    source_.error = Error(ErrorCode::kInvalid, why.message()).WithHint(why.hint());
  return "";
}

std::string Fields::Certificates(std::string_view key) {
  std::string pem = Text(key);
  if (pem.empty()) return "";
  if (pem.find("-----BEGIN") == std::string::npos) pem = Content(key);
  // A key that lies in the same file would be handed out with the certificate.
  if (pem.find("PRIVATE KEY-----") != std::string::npos) {
    Wrong(key, "holds a private key: name a file with certificates alone");
  } else if (pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    Wrong(key, "holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
  }
  return pem;
}

std::vector<std::string> Fields::Texts(std::string_view key) {
  std::vector<std::string> texts;
  for (const Yaml& item : List(key)) {
    if (item.kind != Yaml::Kind::kText || item.text.empty()) Wrong(key, "must be a list of texts");
    texts.push_back(item.text);
  }
  return texts;
}

const std::vector<Yaml>& Fields::List(std::string_view key) {
  static const std::vector<Yaml> kNothing;
  const Yaml* value = Value(key);
  if (value == nullptr) return kNothing;
  if (value->kind != Yaml::Kind::kList) Wrong(key, "must be a list");
  return value->items;
}

void Fields::Wrong(std::string_view key, std::string_view what) {
  source_.Wrong(LineOf(key), Cat(where_, ": ", key, ' ', what));
}

int Fields::LineOf(std::string_view key) const {
  const Yaml* value = Value(key);
  return value == nullptr ? node_.line : value->line;
}

}  // namespace depot::settings
