#include "driver/depot/login_file.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/base/yaml.h"
#include "driver/depot/token.h"
#include "driver/disk/read_file.h"
#include "driver/disk/whole_file.h"

namespace depot::api {
namespace {

constexpr std::string_view kKey = "api_token";

Error Bad(const std::string& file, std::string_view why) {
  return Error(ErrorCode::kInvalid, Cat(Printable(file), ": ", why))
      .WithHint("repair or remove the file, then log in again");
}

struct LoginText {
  std::string text;
  Yaml root;
};

/// The map in the file; an absent or empty file is an empty map.
Result<LoginText> Load(const std::string& file) {
  TRY_ASSIGN(std::optional<std::string> content, disk::ReadFileIfThere(file));
  std::string text = content.value_or("");
  Result<Yaml> root = ParseYaml(text);
  if (!root) return Fail(Bad(file, Cat("not YAML: ", root.error().message())));
  if (root->kind != Yaml::Kind::kMap && root->kind != Yaml::Kind::kNull) {
    return Fail(Bad(file, "not a YAML map"));
  }
  return LoginText{std::move(text), *std::move(root)};
}

bool SameNode(const Yaml& a, const Yaml& b) {
  return a.kind == b.kind && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), SameNode) &&
         std::equal(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(),
                    [](const auto& one, const auto& other) {
                      return one.first == other.first && SameNode(one.second, other.second);
                    });
}

bool SameBesidesToken(const Yaml& a, const Yaml& b) {
  auto others = [](const Yaml& root) {
    std::vector<std::pair<std::string_view, const Yaml*>> entries;
    for (const auto& [key, value] : root.keys) {
      if (key != kKey) entries.emplace_back(key, &value);
    }
    return entries;
  };
  const auto one = others(a);
  const auto other = others(b);
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const auto& left, const auto& right) {
                      return left.first == right.first && SameNode(*left.second, *right.second);
                    });
}

bool BeginsWithKey(std::string_view line) {
  for (std::string_view quote : {"", "\"", "'"}) {
    const std::string key = Cat(quote, kKey, quote);
    if (line.starts_with(key) && Trim(line.substr(key.size())).starts_with(':')) return true;
  }
  return false;
}

/// The text without the lines of the key, which are its own and the deeper ones below it. Only text
/// is touched, so that comments and everything else stay as they are.
std::string RemoveKey(std::string_view text) {
  std::string out;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    inside = BeginsWithKey(line) || (inside && (line[0] == ' ' || line[0] == '\t'));
    if (!inside) out += line;
  }
  return out;
}

/// The file with another token, or none. It must read back as meant: one in an unusual style is
/// left alone.
Result<std::string> Rewritten(const std::string& file,
                              const LoginText& login,
                              const Secret& token) {
  std::string text = RemoveKey(login.text);
  if (!token.empty()) {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    // A JSON string is a YAML one.
    text += Cat(kKey, ": ", Json::String(token.Reveal()).Dump(), '\n');
  }
  const Result<Yaml> root = ParseYaml(text);
  const Yaml* written = root ? root->Find(kKey) : nullptr;
  const bool as_meant = root && root->kind != Yaml::Kind::kText &&
                        (written == nullptr ? "" : written->text) == token.Reveal() &&
                        SameBesidesToken(*root, login.root);
  if (!as_meant) return Fail(Bad(file, "api_token cannot be changed in a file of this style"));
  return text;
}

Error Unwritable(Error error) {
  return std::move(error).WithHint(
      "set HOME or XDG_CONFIG_HOME to a folder that can be written to, or use DEPOT_TOKEN");
}

}  // namespace

Result<Secret> ReadLogin(const std::string& file) {
  TRY_ASSIGN(const LoginText login, Load(file));
  const Yaml* token = login.root.Find(kKey);
  if (token == nullptr || token->kind == Yaml::Kind::kNull) return Secret();
  if (token->kind != Yaml::Kind::kText) return Fail(Bad(file, "api_token is not a text"));
  return Secret(std::string(Trim(token->text)));
}

std::string LoginFile(const std::map<std::string, std::string>& environment) {
  std::string directory = TrimmedVariable(environment, "XDG_CONFIG_HOME");
  // The XDG specification lets only absolute ones count.
  if (!directory.starts_with('/')) {
    directory = TrimmedVariable(environment, "HOME");
    if (directory.empty()) return "";
    directory += "/.config";
  }
  return directory + "/depot/depot.yaml";
}

Result<> CheckLoginFile(const std::string& file) {
  if (file.empty()) {
    return Fail(Error(ErrorCode::kInvalid, "the login cannot be stored: HOME is not set")
                    .WithHint("set HOME or XDG_CONFIG_HOME, or use DEPOT_TOKEN"));
  }
  TRY_ASSIGN(const LoginText login, Load(file));
  TRY(Rewritten(file, login, Secret("any")));
  Result<> writable = disk::CheckPrivateFile(file);
  if (writable) return {};
  return Fail(Unwritable(std::move(writable).error().While("the login cannot be stored")));
}

Result<> StoreLogin(const std::string& file, const Secret& token) {
  TRY(CheckLoginFile(file));
  TRY_ASSIGN(const LoginText login, Load(file));
  TRY_ASSIGN(const std::string text, Rewritten(file, login, token));
  Result<> written = disk::WritePrivateFile(file, text);
  if (written) return {};
  return Fail(Unwritable(std::move(written).error()));
}

Result<bool> RemoveLogin(const std::string& file) {
  TRY_ASSIGN(const LoginText login, Load(file));
  const Yaml* token = login.root.Find(kKey);
  const bool there = token != nullptr && !token->text.empty();
  if (token == nullptr) return there;
  TRY_ASSIGN(const std::string text, Rewritten(file, login, Secret()));
  TRY(disk::WritePrivateFile(file, text));
  return there;
}

}  // namespace depot::api
