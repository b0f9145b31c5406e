#include "plugin/bake/words.h"

#include "driver/base/text.h"
#include "plugin/bake/entries.h"
#include "plugin/bake/resolve.h"
#include "plugin/plan/git_url.h"

namespace depot::bake {
namespace {

void AddEach(Strings& words, std::string_view flag, const Strings& values) {
  for (const std::string& value : values)
    words.push_back(Cat("--", flag, '=', value));
}

void AddPairs(Strings& words, std::string_view flag, const StringMap& pairs) {
  for (const auto& [key, value] : pairs)
    words.push_back(Cat("--", flag, '=', key, '=', value));
}

void AddEntries(Strings& words,
                std::string_view flag,
                const Entries& entries,
                const std::string& first = "type") {
  for (const Entry& entry : entries)
    words.push_back(Cat("--", flag, '=', FormatRecord(entry, first)));
}

void AddText(Strings& words, std::string_view flag, const std::optional<std::string>& text) {
  if (!text.value_or("").empty()) words.push_back(Cat("--", flag, '=', *text));
}

/// The Dockerfile's path is relative to the context, where that is a directory here.
Result<> AddDockerfile(const Fields& fields, Strings& words) {
  if (fields.dockerfile_inline) return {};
  std::string path = fields.dockerfile.value_or("Dockerfile");
  const std::string context = fields.context.value_or(".");
  const bool remote = plan::IsRemoteContext(context) || context.find("://") != std::string::npos;
  if (path.starts_with(kHere)) {
    path.erase(0, kHere.size());
    if (!remote && !path.starts_with('/')) path = Cat("./", path);
    words.push_back(Cat("--file=", path));
    return {};
  }
  if (path == "Dockerfile" && !remote) return {};
  const bool joined = !remote && !path.starts_with('/') && !plan::IsHttpUrl(path);
  words.push_back(Cat("--file=", joined ? CleanPath(Cat(context, '/', path)) : path));
  return {};
}

void AddContexts(const Fields& fields, Strings& words) {
  for (const auto& [name, value] : fields.contexts) {
    if (!LinkedTarget(value).empty()) continue;
    const bool here = value.starts_with(kHere);
    std::string path = here ? value.substr(kHere.size()) : value;
    if (path.empty()) path = ".";
    words.push_back(Cat("--build-context=", name, '=', path));
  }
}

void AddSshWords(const Fields& fields, Strings& words) {
  for (const SshEntry& entry : fields.ssh) {
    words.push_back(entry.paths.empty() ? Cat("--ssh=", entry.id)
                                        : Cat("--ssh=", entry.id, '=', Join(entry.paths, ",")));
  }
}

}  // namespace

Result<Strings> BuildWords(const Fields& fields) {
  Strings words;
  AddEach(words, "annotation", fields.annotations);
  AddEntries(words, "attest", fields.attest);
  AddContexts(fields, words);
  TRY(AddDockerfile(fields, words));
  AddPairs(words, "build-arg", fields.args);
  AddPairs(words, "label", fields.labels);
  AddPairs(words, "add-host", fields.extra_hosts);
  AddPairs(words, "resource", fields.resources);
  AddEach(words, "tag", fields.tags.value_or(Strings()));
  AddEach(words, "platform", fields.platforms.value_or(Strings()));
  AddEach(words, "no-cache-filter", fields.no_cache_filter);
  AddEach(words, "ulimit", fields.ulimits);
  AddEach(words, "allow", fields.entitlements);
  AddEntries(words, "cache-from", fields.cache_from);
  AddEntries(words, "cache-to", fields.cache_to.value_or(Entries()));
  AddEntries(words, "output", fields.output.value_or(Entries()));
  AddEntries(words, "secret", fields.secret, "id");
  AddSshWords(fields, words);
  AddText(words, "target", fields.target);
  AddText(words, "network", fields.network);
  AddText(words, "shm-size", fields.shm_size);
  AddText(words, "call", fields.call);
  AddText(words, "project", fields.project);
  if (fields.pull.value_or(false)) words.emplace_back("--pull");
  if (fields.no_cache.value_or(false)) words.emplace_back("--no-cache");
  words.emplace_back("--");
  words.push_back(fields.context.value_or("."));
  return words;
}

}  // namespace depot::bake
