#include "plugin/bake/fields.h"

#include <algorithm>
#include <set>

namespace depot::bake {
namespace {

template <typename Value>
void TakeOver(std::optional<Value>& into, const std::optional<Value>& later) {
  if (later) into = later;
}

void ReplaceIfSaid(std::optional<std::string>& into, const std::optional<std::string>& later) {
  if (later && !later->empty()) into = later;
}

void Append(Strings& into, const Strings& later) {
  into.insert(into.end(), later.begin(), later.end());
}

void MergeKeys(StringMap& into, const StringMap& later) {
  for (const auto& [key, value] : later)
    into[key] = value;
}

void PutAll(Entries& into, const Entries& later, const std::string& key) {
  for (const Entry& entry : later)
    PutEntry(into, entry, key);
}

void PutSsh(std::vector<SshEntry>& into, const SshEntry& entry) {
  auto same = std::find_if(into.begin(), into.end(),
                           [&](const SshEntry& earlier) { return earlier.id == entry.id; });
  if (same == into.end()) {
    into.push_back(entry);
  } else {
    *same = entry;
  }
}

/// The first of each stays.
void KeepFirst(Strings& list) {
  if (list.size() < 2) return;
  std::set<std::string> seen;
  std::erase_if(list, [&](const std::string& text) { return !seen.insert(text).second; });
}

void DropEmpty(Strings& list) {
  std::erase_if(list, [](const std::string& text) { return text.empty(); });
}

void KeepLastOfEach(Entries& entries, const std::string& key) {
  Entries kept;
  PutAll(kept, entries, key);
  entries = std::move(kept);
}

}  // namespace

void PutEntry(Entries& into, const Entry& entry, const std::string& key) {
  const auto wanted = entry.find(key);
  auto same = std::find_if(into.begin(), into.end(), [&](const Entry& earlier) {
    const auto found = earlier.find(key);
    return wanted != entry.end() && found != earlier.end() && found->second == wanted->second;
  });
  if (same == into.end()) {
    into.push_back(entry);
  } else {
    *same = entry;
  }
}

void DropRepeats(Entries& entries) {
  for (std::size_t i = entries.size(); i-- > 0;) {
    for (std::size_t later = i + 1; later < entries.size(); ++later) {
      if (entries[i] != entries[later]) continue;
      std::swap(entries[later], entries.back());
      entries.pop_back();
      break;
    }
  }
}

void Merge(Fields& into, const Fields& later) {
  ReplaceIfSaid(into.description, later.description);
  ReplaceIfSaid(into.project, later.project);
  for (auto field : {&Fields::context, &Fields::dockerfile, &Fields::dockerfile_inline,
                     &Fields::target, &Fields::network, &Fields::shm_size, &Fields::call}) {
    TakeOver(into.*field, later.*field);
  }
  TakeOver(into.pull, later.pull);
  TakeOver(into.no_cache, later.no_cache);
  TakeOver(into.tags, later.tags);
  TakeOver(into.platforms, later.platforms);
  TakeOver(into.cache_to, later.cache_to);
  TakeOver(into.output, later.output);
  for (auto field : {&Fields::inherits, &Fields::annotations, &Fields::no_cache_filter,
                     &Fields::ulimits, &Fields::entitlements}) {
    Append(into.*field, later.*field);
  }
  for (auto field : {&Fields::args, &Fields::labels, &Fields::contexts, &Fields::extra_hosts,
                     &Fields::resources}) {
    MergeKeys(into.*field, later.*field);
  }
  PutAll(into.attest, later.attest, "type");
  PutAll(into.secret, later.secret, "id");
  into.cache_from.insert(into.cache_from.end(), later.cache_from.begin(), later.cache_from.end());
  DropRepeats(into.cache_from);
  for (const SshEntry& entry : later.ssh)
    PutSsh(into.ssh, entry);
}

void Normalize(Fields& fields) {
  for (auto list :
       {&Fields::annotations, &Fields::no_cache_filter, &Fields::ulimits, &Fields::entitlements}) {
    KeepFirst(fields.*list);
    DropEmpty(fields.*list);
  }
  for (auto list : {&Fields::tags, &Fields::platforms}) {
    if (!(fields.*list)) continue;
    KeepFirst(*(fields.*list));
    DropEmpty(*(fields.*list));
  }
  KeepLastOfEach(fields.attest, "type");
  KeepLastOfEach(fields.secret, "id");
  DropRepeats(fields.cache_from);
  if (fields.cache_to) DropRepeats(*fields.cache_to);
  if (fields.output) DropRepeats(*fields.output);
  std::vector<SshEntry> ssh;
  for (const SshEntry& entry : fields.ssh)
    PutSsh(ssh, entry);
  fields.ssh = std::move(ssh);
  std::erase_if(fields.contexts, [](const auto& context) { return context.second.empty(); });
}

}  // namespace depot::bake
