#include "plugin/options/source_flags.h"

#include <algorithm>
#include <string>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/reference.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

Error KeyText() {
  return Usage("--ssh: the text of a key was given, which every user of this machine can see")
      .WithHint("keep it in a variable, and give its name: --ssh default=env=VARIABLE");
}

Result<SshSource> ParseSsh(std::string_view value) {
  // A variable was expanded that should have been named.
  if (value.find("-----BEGIN") != std::string_view::npos) return Fail(KeyText());
  const std::size_t sign = value.find('=');
  SshSource source;
  source.id = value.substr(0, sign);
  if (source.id.empty()) source.id = "default";
  const std::string_view list = sign == std::string_view::npos ? "" : value.substr(sign + 1);
  if (list.empty()) return source;
  constexpr std::string_view kVariable = "env=";
  for (std::string_view part : Split(list, ',')) {
    const bool variable = part.starts_with(kVariable);
    if (variable) part.remove_prefix(kVariable.size());
    if (part.empty()) {
      return Fail(Usage(Cat("--ssh ", Printable(source.id), ": a part of the list is empty"))
                      .WithHint("is a variable in it not set?"));
    }
    (variable ? source.variables : source.files).emplace_back(part);
  }
  return source;
}

}  // namespace

Result<std::string> ParseContextName(std::string_view name) {
  auto reference = ParseReference(name);
  if (!reference) {
    return Fail(AsUsage(reference.error(),
                        Cat("--build-context: invalid context name \"", Printable(name), '"')));
  }
  constexpr std::string_view kLatest = ":latest";
  std::string familiar = FamiliarReference(*reference);
  if (familiar.ends_with(kLatest)) familiar.resize(familiar.size() - kLatest.size());
  return familiar;
}

Result<> AddSsh(std::string_view value, SourceOptions& into) {
  if (value.empty()) {
    into.notices.emplace_back("--ssh \"\" gives nothing");
    return {};
  }
  TRY_ASSIGN(SshSource source, ParseSsh(value));
  const bool twice = std::any_of(into.ssh.begin(), into.ssh.end(),
                                 [&](const SshSource& earlier) { return earlier.id == source.id; });
  if (twice) {
    return Fail(Usage(Cat("--ssh ", Printable(source.id), " is given twice"))
                    .WithHint("several keys for one id: --ssh ID=KEY,KEY"));
  }
  into.ssh.push_back(std::move(source));
  return {};
}

Result<> AddBuildContext(std::string_view value, SourceOptions& into) {
  if (value.empty()) {
    into.notices.emplace_back("--build-context \"\" gives nothing");
    return {};
  }
  const std::size_t sign = value.find('=');
  if (sign == std::string_view::npos) {
    return Fail(Usage(Cat("--build-context: invalid context value: ", Printable(RedactUrls(value)),
                          ", expected key=value")));
  }
  TRY_ASSIGN(std::string name, ParseContextName(value.substr(0, sign)));
  const std::string_view source = value.substr(sign + 1);
  const std::string flag = Cat("--build-context ", name);
  if (source.empty()) {
    return Fail(Usage(Cat(flag, ": the value is empty")).WithHint("is its variable not set?"));
  }
  if (source.starts_with("target:")) {
    return Fail(Usage(Cat(flag, ": target: names another target of bake"))
                    .WithHint("for a stage of this Dockerfile no build context is needed"));
  }
  const auto replaced = std::erase_if(
      into.contexts, [&](const NamedContext& earlier) { return earlier.name == name; });
  if (replaced > 0) into.notices.push_back(Cat(flag, " is given twice: the last one counts"));
  into.contexts.push_back({std::move(name), std::string(source)});
  return {};
}

std::vector<flags::Flag> SourceFlags(SourceOptions& into) {
  return {
      {"build-context", 0, flags::FlagKind::kText, "list",
       "Additional build context (format: \"name=path\"): a directory, a git or http(s) URL, "
       "\"docker-image://NAME\", \"oci-layout://PATH[:TAG][@DIGEST]\"",
       [&into](const std::string& text) { return AddBuildContext(text, into); }},
      {"ssh", 0, flags::FlagKind::kText, "list",
       "SSH agent socket or keys to expose to the build (format: "
       "\"default|ID[=SOCKET|KEY[,KEY]]\"); a key is a file, or \"env=VARIABLE\" for one in a "
       "variable",
       [&into](const std::string& text) { return AddSsh(text, into); }},
  };
}

}  // namespace depot::options
