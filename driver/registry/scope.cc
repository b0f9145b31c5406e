#include "driver/registry/scope.h"

#include <algorithm>
#include <optional>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"

namespace depot::registry {
namespace {

constexpr std::string_view kRepository = "repository";
constexpr std::string_view kPush = "push";
constexpr std::string_view kEverything = "*";

/// A member as the specification spells it, or with a capital, as Azure does.
Json Member(const Json& object, std::string_view name) {
  if (object.Has(name)) return object[name];
  std::string capital(name);
  capital[0] = static_cast<char>(capital[0] - 'a' + 'A');
  return object[capital];
}

/// The "access" claim; nullopt when there is none that can be read.
std::optional<std::vector<Scope>> GrantedBy(const Secret& token) {
  std::vector<std::string_view> parts = Split(token.Reveal(), '.');
  if (parts.size() != 3) return std::nullopt;
  std::optional<std::string> text = FromBase64Url(parts[1]);
  if (!text) return std::nullopt;
  Result<Json> claims = Json::Parse(*text);
  if (!claims || !claims->Has("access")) return std::nullopt;
  Json access = (*claims)["access"];
  if (!access.is_array() && access.type() != Json::Type::kNull) return std::nullopt;
  std::vector<Scope> granted;
  for (std::size_t i = 0; i < access.size(); ++i) {
    Json name = Member(access[i], "name");
    Json actions = Member(access[i], "actions");
    if (!name.is_string()) return std::nullopt;
    Scope scope{Member(access[i], "type").AsString(), name.AsString(), {}};
    for (std::size_t j = 0; j < actions.size(); ++j)
      scope.actions.push_back(actions[j].AsString());
    granted.push_back(std::move(scope));
  }
  return granted;
}

}  // namespace

bool Scope::pushes() const {
  return type == kRepository && std::any_of(actions.begin(), actions.end(), [](const auto& one) {
           return one == kPush || one == kEverything;
         });
}

Scope ParseScope(std::string_view text) {
  std::size_t first = text.find(':');
  std::size_t last = text.rfind(':');
  if (first == std::string_view::npos || first == last) return {};
  Scope scope;
  scope.type = text.substr(0, first);
  scope.name = text.substr(first + 1, last - first - 1);
  for (std::string_view action : Split(text.substr(last + 1), ','))
    scope.actions.emplace_back(action);
  return scope;
}

bool MayPush(const Secret& token, const std::vector<std::string>& scopes) {
  std::vector<Scope> wanted;
  for (const std::string& text : scopes) {
    Scope scope = ParseScope(text);
    if (scope.pushes()) wanted.push_back(std::move(scope));
  }
  if (wanted.empty()) return true;
  std::optional<std::vector<Scope>> granted = GrantedBy(token);
  if (!granted) return true;
  // One of them is enough: a registry behind a path prefix knows the repository by one name only.
  return std::any_of(granted->begin(), granted->end(), [&](const Scope& grant) {
    return grant.pushes() && std::any_of(wanted.begin(), wanted.end(), [&](const Scope& want) {
             return want.name == grant.name;
           });
  });
}

}  // namespace depot::registry
