#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace depot::bake {

using Strings = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

/// One entry of attest, cache-from, cache-to, output or secret: its attributes, with `type` (or, of
/// a secret, `id`) among them.
using Entry = StringMap;
using Entries = std::vector<Entry>;

/// One entry of ssh.
struct SshEntry {
  std::string id;
  Strings paths;  ///< sockets and keys; empty = the agent of the environment

  friend bool operator==(const SshEntry&, const SshEntry&) = default;
};

/// What a target says, all of it optional; a value. A list or text that is there and empty is not
/// the same as none: some fields of a parent are replaced by it.
struct Fields {
  std::optional<std::string> description;
  std::optional<std::string> context;
  std::optional<std::string> dockerfile;
  std::optional<std::string> dockerfile_inline;
  std::optional<std::string> target;
  std::optional<std::string> network;
  std::optional<std::string> shm_size;
  std::optional<std::string> call;
  std::optional<std::string> project;
  std::optional<bool> pull;
  std::optional<bool> no_cache;
  std::optional<Strings> tags;
  std::optional<Strings> platforms;
  Strings inherits;
  Strings annotations;
  Strings no_cache_filter;
  Strings ulimits;
  Strings entitlements;
  StringMap args;
  StringMap labels;
  StringMap contexts;
  StringMap extra_hosts;
  StringMap resources;
  Entries attest;
  Entries cache_from;
  std::optional<Entries> cache_to;
  std::optional<Entries> output;
  Entries secret;
  std::vector<SshEntry> ssh;
};

/// Puts what a later or an inheriting block says over `into`: texts, switches, tags, platforms,
/// cache-to and output are replaced, maps merged key by key, the other lists appended; attest,
/// secret and ssh by their type or id, in the earlier one's place.
void Merge(Fields& into, const Fields& later);

/// Drops repeats, empty texts in lists, and named contexts with an empty value.
void Normalize(Fields& fields);

/// Puts `entry` into the place of the one with the same value of `key`, or behind all.
void PutEntry(Entries& into, const Entry& entry, const std::string& key);

/// Drops an entry that equals an earlier one; the last entry takes its place, as docker buildx has
/// it (util/buildflags, removeDupes), where scripts see the order.
void DropRepeats(Entries& entries);

}  // namespace depot::bake
