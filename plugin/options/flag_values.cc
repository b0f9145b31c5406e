#include "plugin/options/flag_values.h"

#include <algorithm>

#include <arpa/inet.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/reference.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

bool IsAddress(const std::string& text) {
  unsigned char buffer[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), buffer) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

std::string WithoutBrackets(std::string_view text) {
  bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  return std::string(bracketed ? text.substr(1, text.size() - 2) : text);
}

/// device=NAME[,alias=NAME], as BuildKit reads it.
Result<> CheckDevice(const std::string& value) {
  auto fields = SplitRecord(std::string_view(value).substr(value.find('=') + 1));
  if (!fields) return Fail(std::move(fields).error().While("--allow device"));
  if (fields->front().empty()) return Fail(Usage("--allow device=: the device's name is empty"));
  for (std::size_t i = 1; i < fields->size(); ++i) {
    const std::string& field = (*fields)[i];
    if (field.starts_with("alias=")) continue;
    return Fail(Usage(Cat("--allow device: unknown key \"",
                          Printable(field.substr(0, field.find('='))), "\", known is: alias")));
  }
  return {};
}

bool IsHostName(std::string_view name) {
  return !name.empty() && name.find_first_of(" \t\",=[]/") == std::string_view::npos;
}

}  // namespace

Result<std::string> ParseTag(const std::string& value) {
  auto reference = ParseReference(value);
  // `-t .`: the flag has taken the context.
  const bool path = value.starts_with('.') || value.starts_with('/');
  if (!reference && path) {
    return Fail(AsUsage(reference.error(), "--tag")
                    .WithHint(Cat("is the name missing between -t and ", Printable(value), "?")));
  }
  if (!reference) return Fail(AsUsage(reference.error(), "--tag"));
  if (!reference->digest.empty()) {
    return Fail(Usage(Cat("--tag: \"", Printable(value), "\" has a digest; write NAME:TAG")));
  }
  return value;
}

Result<std::pair<std::string, std::optional<std::string>>> ParseAssignment(std::string_view flag,
                                                                           std::string_view value) {
  std::size_t sign = value.find('=');
  std::string key(value.substr(0, sign));
  if (key.empty()) {
    // The value may be a secret whose name was an unset variable.
    const std::string_view shown = value.empty() ? "" : value.size() == 1 ? "=" : "=***";
    return Fail(Usage(Cat(flag, ": invalid key-value pair \"", shown, "\": empty key"))
                    .WithHint("write NAME=VALUE or NAME"));
  }
  if (sign == std::string_view::npos) return std::make_pair(std::move(key), std::nullopt);
  return std::make_pair(std::move(key), std::make_optional<std::string>(value.substr(sign + 1)));
}

Result<SecretSource> ParseSecret(std::string_view value) {
  static const std::vector<std::string_view> known = {"id", "src", "source", "env", "type"};
  TRY_ASSIGN(std::vector<Attribute> attributes, ParseAttributes(value, "--secret"));
  SecretSource secret;
  std::string type;
  for (const Attribute& attribute : attributes) {
    if (attribute.key == "id") {
      secret.id = attribute.value;
    } else if (attribute.key == "src" || attribute.key == "source") {
      secret.file = attribute.value;
    } else if (attribute.key == "env") {
      secret.variable = attribute.value;
    } else if (attribute.key == "type") {
      type = attribute.value;
    } else {
      return Fail(Usage(Cat("--secret: unknown key \"", Printable(attribute.key), "\"",
                            Suggest(attribute.key, known))));
    }
  }
  if (secret.id.empty()) {
    return Fail(Usage("--secret: the id is missing")
                    .WithHint("write id=NAME,src=FILE or id=NAME,env=VARIABLE"));
  }
  std::string name = Cat("--secret id=", Printable(secret.id));
  if (!type.empty() && type != "file" && type != "env") {
    return Fail(Usage(Cat(name, ": the type is file or env, not \"", Printable(type), "\"")));
  }
  if (type == "env" && secret.variable.empty()) secret.variable.swap(secret.file);
  if (!secret.file.empty() && !secret.variable.empty()) {
    return Fail(Usage(Cat(name, ": has both a file and a variable; give one")));
  }
  if (type == "file" && !secret.variable.empty()) {
    return Fail(Usage(Cat(name, ": type=file, but env= is given")));
  }
  if (type == "env" && secret.variable.empty()) secret.variable = secret.id;
  if (type == "file" && secret.file.empty()) secret.file = secret.id;
  return secret;
}

Result<std::vector<std::pair<std::string, std::string>>> ParseAddHost(std::string_view value) {
  std::vector<std::pair<std::string, std::string>> hosts;
  for (std::string_view part : Split(value, ',')) {
    std::string lone = WithoutBrackets(part);
    if (!hosts.empty() && IsAddress(lone)) {
      hosts.emplace_back(hosts.back().first, lone);
      continue;
    }
    std::size_t sign = part.find('=');
    if (sign == std::string_view::npos) sign = part.find(':');
    std::string_view name = part.substr(0, sign);
    if (sign == std::string_view::npos || !IsHostName(name)) {
      return Fail(Usage(Cat("--add-host: \"", Printable(part), "\" is not NAME:IP")));
    }
    std::string address = WithoutBrackets(part.substr(sign + 1));
    if (address != "host-gateway" && !IsAddress(address)) {
      return Fail(Usage(Cat("--add-host ", Printable(name), ": \"", Printable(address),
                            "\" is not an IP address")));
    }
    hosts.emplace_back(name, address);
  }
  return hosts;
}

Result<std::vector<Platform>> ParsePlatforms(std::string_view value) {
  std::vector<Platform> platforms;
  for (std::string_view part : Split(value, ',')) {
    auto platform = ParsePlatform(part);
    if (!platform) return Fail(AsUsage(platform.error(), "--platform"));
    platforms.push_back(*std::move(platform));
  }
  return platforms;
}

std::vector<std::string> UnknownPlatforms(std::string_view flag,
                                          const std::vector<Platform>& platforms) {
  std::vector<std::string> lines;
  for (const Platform& platform : platforms) {
    const std::string doubt = DoubtAbout(platform);
    if (doubt.empty()) continue;
    lines.push_back(Cat("WARNING: ", flag, ' ', Printable(FormatPlatform(platform)), ": ", doubt));
  }
  return lines;
}

Result<std::optional<Platform>> ParseBuildPlatform(std::string_view value) {
  static const std::vector<std::string_view> known = {"dynamic", "linux/amd64", "linux/arm64"};
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    return Fail(Usage(Cat("--build-platform: there are no builders for \"", Printable(value), "\"",
                          Suggest(value, known))));
  }
  if (value == "dynamic") return std::nullopt;
  return ParsePlatform(value);
}

Result<std::string> ParseSaveTag(const std::string& value) {
  auto reference = ParseReference(Cat("name:", value));
  if (reference && reference->tag == value && reference->digest.empty()) return value;
  return Fail(Usage(Cat("--save-tag: \"", Printable(value), "\" is not a tag"))
                  .WithHint("write only what stands behind the colon of NAME:TAG"));
}

Result<std::string> ParseNetwork(const std::string& value) {
  static const std::vector<std::string_view> known = {"default", "host", "none"};
  if (value.empty() || std::find(known.begin(), known.end(), value) != known.end()) return value;
  return Fail(Usage(Cat("--network: network mode \"", Printable(value),
                        "\" not supported by buildkit", Suggest(value, known)))
                  .WithHint("a single step can choose with RUN --network=default, host or none"));
}

Result<std::string> ParseStageName(const std::string& value) {
  if (!value.empty()) return value;
  return Fail(Usage("--no-cache-filter: the stage's name is empty")
                  .WithHint("--no-cache is for all stages"));
}

Result<std::vector<std::string>> ParseEntitlements(const std::string& value) {
  static const std::vector<std::string_view> known = {"network.host", "security.insecure", "device",
                                                      kLocalDelete};
  if (value.starts_with("device=")) {
    TRY(CheckDevice(value));
    return std::vector<std::string>{value};
  }
  std::vector<std::string> names;
  for (std::string_view name : Split(value, ',')) {
    if (name.empty()) continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Fail(
          Usage(Cat("--allow: unknown entitlement ", Printable(name), Suggest(name, known))));
    }
    names.emplace_back(name);
  }
  return names;
}

Result<ProgressMode> ParseProgress(const std::string& value) {
  static const std::vector<std::pair<std::string_view, ProgressMode>> modes = {
      {"auto", ProgressMode::kAuto},       {"plain", ProgressMode::kPlain},
      {"tty", ProgressMode::kTty},         {"gitlab", ProgressMode::kGitlab},
      {"rawjson", ProgressMode::kRawJson}, {"quiet", ProgressMode::kQuiet},
      {"none", ProgressMode::kNone}};
  if (value.empty()) return ProgressMode::kAuto;
  std::vector<std::string_view> known;
  for (const auto& [name, mode] : modes) {
    if (value == name) return mode;
    known.push_back(name);
  }
  return Fail(
      Usage(Cat("--progress: unknown mode \"", Printable(value), "\"", Suggest(value, known))));
}

}  // namespace depot::options
