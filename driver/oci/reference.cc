#include "driver/oci/reference.h"

#include <algorithm>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::string_view kDefaultTag = "latest";
constexpr std::size_t kMaxNameSize = 255;
constexpr std::size_t kMaxTagSize = 128;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsWord(char c) {
  return IsDigit(c) || IsLower(c) || IsUpper(c) || c == '_';
}
bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

tl::unexpected<Error> NoReference(std::string_view text, std::string_view reason) {
  return Fail(ErrorCode::kInvalid,
              Cat("invalid image name \"", RedactUrls(Printable(text)), "\": ", reason));
}

bool IsHostName(std::string_view host) {
  for (std::string_view label : Split(host, '.')) {
    bool letters = All(label, [](char c) { return (IsWord(c) && c != '_') || c == '-'; });
    if (label.empty() || !letters || label.front() == '-' || label.back() == '-') return false;
  }
  return true;
}

/// Empty when `domain` (host[:port]) follows the grammar, else the broken rule.
std::string_view DomainFault(std::string_view domain) {
  std::string_view host = domain;
  std::string_view port;
  bool has_port = false;
  if (domain.starts_with('[')) {
    std::size_t close = domain.find(']');
    if (close == std::string_view::npos) return "the IPv6 address has no closing bracket";
    host = domain.substr(1, close - 1);
    if (host.empty() || !All(host, [](char c) { return IsHex(c) || c == ':'; })) {
      return "the text in brackets is not an IPv6 address";
    }
    std::string_view rest = domain.substr(close + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port) return "only a port may follow the IPv6 address";
    if (has_port) port = rest.substr(1);
  } else {
    std::size_t colon = domain.find(':');
    host = domain.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = domain.substr(colon + 1);
    if (!IsHostName(host)) return "the part before the first slash is not a host name";
  }
  if (!has_port) return "";
  std::uint64_t number = ParseDecimal(port).value_or(0);
  if (number == 0 || number > 65535) return "the port is not a number from 1 to 65535";
  return "";
}

/// One path component: [a-z0-9]+ joined by '.', '_', '__' or any number of '-'.
bool IsPathComponent(std::string_view part) {
  auto is_alphanumeric = [](char c) { return IsDigit(c) || IsLower(c); };
  if (part.empty() || !is_alphanumeric(part.front()) || !is_alphanumeric(part.back())) return false;
  for (std::size_t at = 0; at < part.size();) {
    if (is_alphanumeric(part[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (!is_alphanumeric(part[end]))
      ++end;
    std::string_view separator = part.substr(at, end - at);
    bool dashes = All(separator, [](char c) { return c == '-'; });
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
    at = end;
  }
  return true;
}

/// Empty when `path` follows the grammar, else the broken rule.
std::string_view PathFault(std::string_view path) {
  if (path.empty()) return "the repository name is empty";
  if (std::any_of(path.begin(), path.end(), IsUpper)) return "repository name must be lowercase";
  for (std::string_view part : Split(path, '/')) {
    if (part.empty()) return "the repository name has an empty part between slashes";
    if (!IsPathComponent(part)) {
      return "a repository name holds lowercase letters and digits, with single '.', '_', '__' or "
             "'-' between them";
    }
  }
  if (path.size() > kMaxNameSize) return "repository name must not be more than 255 characters";
  return "";
}

/// Empty when `tag` follows the grammar, else the broken rule.
std::string_view TagFault(std::string_view tag) {
  if (tag.empty()) return "the tag after ':' is empty";
  if (tag.size() > kMaxTagSize) return "a tag must not be more than 128 characters";
  if (!IsWord(tag[0]) || !All(tag, [](char c) { return IsWord(c) || c == '.' || c == '-'; })) {
    return "a tag holds letters, digits, '_', '.' and '-', and starts with none of the last two";
  }
  return "";
}

/// Whether the part before the first slash names a registry, not a Docker Hub user.
bool IsDomain(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         LowerAscii(first) != first;
}

/// Takes the domain off `name`; what is left is the path.
std::string TakeDomain(std::string_view& name) {
  std::size_t slash = name.find('/');
  std::string_view first = name.substr(0, slash);
  if (slash == std::string_view::npos || !IsDomain(first)) return std::string(kDefaultDomain);
  name.remove_prefix(slash + 1);
  return std::string(first == kLegacyDomain ? kDefaultDomain : first);
}

}  // namespace

Result<Reference> ParseReference(std::string_view text) {
  Reference reference;
  std::string_view name = text;
  if (name.empty()) return NoReference(text, "it is empty");
  if (std::size_t scheme = name.find("://"); scheme != std::string_view::npos) {
    return NoReference(text, "an image name has no scheme such as https://");
  }
  if (name.find_first_of(" \t\r\n") != std::string_view::npos) {
    return NoReference(text, "it contains a blank");
  }
  if (std::size_t at = name.find('@'); at != std::string_view::npos) {
    reference.digest = name.substr(at + 1);
    name = name.substr(0, at);
    if (!IsDigest(reference.digest)) {
      return NoReference(text, "the digest after '@' is not sha256: and 64 lowercase hex digits");
    }
  }
  bool is_identifier =
      name.size() == 64 && All(name, [](char c) { return IsHex(c) && !IsUpper(c); });
  if (is_identifier) return NoReference(text, "64 hex digits are an image id, not a name");
  reference.domain = TakeDomain(name);
  std::size_t colon = name.find(':');
  if (colon != std::string_view::npos) {
    reference.tag = name.substr(colon + 1);
    name = name.substr(0, colon);
  } else if (reference.digest.empty()) {
    reference.tag = kDefaultTag;
  }
  reference.path = name;
  bool official = reference.domain == kDefaultDomain && name.find('/') == std::string_view::npos;
  if (official && !name.empty()) reference.path = Cat(kOfficialPrefix, name);
  std::string_view fault = DomainFault(reference.domain);
  if (fault.empty()) fault = PathFault(reference.path);
  if (fault.empty() && colon != std::string_view::npos) fault = TagFault(reference.tag);
  if (!fault.empty()) return NoReference(text, fault);
  // Docker reads `MyTeam/app` as a registry called MyTeam, and a push then fails on its DNS name.
  bool plain_word = reference.domain.find_first_of(".:") == std::string::npos;
  if (plain_word && reference.domain != "localhost" &&
      LowerAscii(reference.domain) != reference.domain) {
    return NoReference(text, "repository name must be lowercase");
  }
  return reference;
}

std::string FormatReference(const Reference& reference) {
  std::string text = RepositoryOf(reference);
  if (!reference.tag.empty()) text = Cat(text, ':', reference.tag);
  if (!reference.digest.empty()) text = Cat(text, '@', reference.digest);
  return text;
}

std::string FamiliarReference(const Reference& reference) {
  std::string prefix;
  if (reference.domain == kDefaultDomain) {
    std::string_view path = reference.path;
    bool official = path.starts_with(kOfficialPrefix) &&
                    path.find('/', kOfficialPrefix.size()) == std::string_view::npos;
    prefix = official ? path.substr(kOfficialPrefix.size()) : path;
  } else {
    prefix = RepositoryOf(reference);
  }
  if (!reference.tag.empty()) prefix = Cat(prefix, ':', reference.tag);
  if (!reference.digest.empty()) prefix = Cat(prefix, '@', reference.digest);
  return prefix;
}

std::string RepositoryOf(const Reference& reference) {
  return Cat(reference.domain, '/', reference.path);
}

}  // namespace depot
