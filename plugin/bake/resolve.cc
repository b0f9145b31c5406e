#include "plugin/bake/resolve.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/plan/git_url.h"

namespace depot::bake {
namespace {

/// As deep as groups, parents and links may be in each other: each level takes stack.
constexpr std::size_t kMostNesting = 500;

constexpr std::string_view kShowTargets = "`bake --list targets` shows them";

Error BadTarget(std::string message) {
  return Error(ErrorCode::kInvalid, std::move(message));
}

std::string HintOfUnknown(const Definition& definition, const std::string& name) {
  if (definition.targets.empty()) return "the definition has no targets";
  if (name == "default")
    return "name one, or write group \"default\" {}; `bake --list targets` shows them";
  return std::string(kShowTargets);
}

Error Unknown(const Definition& definition, const std::string& name) {
  std::vector<std::string_view> known;
  for (const auto& [target, fields] : definition.targets)
    known.push_back(target);
  const std::string_view near = known.size() < 1000 ? Nearest(name, known) : "";
  return BadTarget(Cat("failed to find target ", Printable(name),
                       near.empty() ? "" : Cat(", did you mean ", near, "?")))
      .WithHint(HintOfUnknown(definition, name));
}

Result<> CheckNesting(std::size_t depth, const std::string& name) {
  if (depth < kMostNesting) return {};
  return Fail(BadTarget(
      Cat(Printable(name), ": more than ", kMostNesting, " levels of groups, parents or links")));
}

/// Replaces globs by what they match.
Result<Strings> ExpandGlobs(const Definition& definition, const Strings& wanted) {
  Strings groups;
  Strings targets;
  for (const auto& [name, group] : definition.groups)
    groups.push_back(name);
  for (const auto& [name, fields] : definition.targets)
    targets.push_back(name);
  Strings expanded;
  for (const std::string& word : wanted) {
    if (word.find_first_of("*?[]") == std::string::npos) {
      expanded.push_back(word);
      continue;
    }
    TRY_ASSIGN(Strings matching, MatchNames(word, groups));
    TRY_ASSIGN(const Strings more, MatchNames(word, targets));
    matching.insert(matching.end(), more.begin(), more.end());
    if (matching.empty()) {
      return Fail(BadTarget(Cat("no target or group matches ", Printable(word)))
                      .WithHint(std::string(kShowTargets)));
    }
    expanded.insert(expanded.end(), matching.begin(), matching.end());
  }
  return expanded;
}

/// Follows groups to targets.
class GroupWalk {
 public:
  explicit GroupWalk(const Definition& definition) : definition_(definition) {}

  Result<> Add(const std::string& name, std::size_t depth = 0) {
    TRY(CheckNesting(depth, name));
    auto group = definition_.groups.find(name);
    if (group == definition_.groups.end() || open_.contains(name)) {
      if (!definition_.targets.contains(name)) return Fail(Unknown(definition_, name));
      if (seen_.insert(name).second) targets_.push_back(name);
      return {};
    }
    if (!groups_.insert(name).second) return {};
    open_.insert(name);
    for (const std::string& member : group->second.targets)
      TRY(Add(member, depth + 1));
    open_.erase(name);
    return {};
  }

  const Strings& targets() const { return targets_; }
  const std::set<std::string>& groups() const { return groups_; }

 private:
  const Definition& definition_;
  std::set<std::string> open_;
  std::set<std::string> groups_;
  std::set<std::string> seen_;
  Strings targets_;
};

/// Follows `inherits`.
class Inheritance {
 public:
  Inheritance(const Definition& definition, const Overrides& overrides)
      : definition_(definition), overrides_(overrides) {
    for (const auto& [name, fields] : definition.targets)
      parents_.insert(fields.inherits.begin(), fields.inherits.end());
  }

  Result<Fields> Of(const std::string& name) {
    cut_ = false;
    own_.clear();
    TRY_ASSIGN(const Fields* fields, Follow(name, 0));
    Fields whole;
    if (parents_.contains(name)) {
      whole = *fields;
    } else {
      // What nobody inherits is asked for once.
      whole = std::move(own_.extract(name).mapped());
    }
    // In a circle what a target has depends on where one begins.
    if (!cut_) whole_.merge(own_);
    return whole;
  }

 private:
  /// nullptr: it is being followed already, which counts as nothing.
  Result<const Fields*> Follow(const std::string& name, std::size_t depth) {
    TRY(CheckNesting(depth, name));
    if (auto done = whole_.find(name); done != whole_.end()) return &done->second;
    if (auto done = own_.find(name); done != own_.end()) return &done->second;
    if (!open_.insert(name).second) {
      cut_ = true;
      return nullptr;
    }
    auto target = definition_.targets.find(name);
    if (target == definition_.targets.end()) return Fail(Unknown(definition_, name));
    Fields merged;
    for (const std::string& parent : target->second.inherits) {
      auto inherited = Follow(parent, depth + 1);
      if (!inherited) return Fail(std::move(inherited).error());
      if (*inherited != nullptr) Merge(merged, **inherited);
    }
    Merge(merged, target->second);
    if (auto said = overrides_.find(name); said != overrides_.end()) {
      Result<> applied = Apply(said->second, merged);
      if (!applied) return Fail(std::move(applied).error().While(Cat("target ", name)));
    }
    Normalize(merged);
    merged.inherits.clear();
    open_.erase(name);
    return &(own_[name] = std::move(merged));
  }

  const Definition& definition_;
  const Overrides& overrides_;
  std::set<std::string> parents_;
  std::map<std::string, Fields> whole_;
  std::map<std::string, Fields> own_;  ///< of this walk
  std::set<std::string> open_;
  bool cut_ = false;
};

/// A folder of the git repository `url` as a context (BuildKit util/gitutil): URL#REF:FOLDER.
Result<std::string> FolderAt(const std::string& url, const std::string& folder) {
  if (folder == ".") return url;
  const auto git = plan::ParseGitUrl(url);
  if (!git || git->has_query || folder.starts_with("..") || folder.starts_with('/')) {
    return Fail(BadTarget(
        Cat("there is no folder ", Printable(folder), " at ", Printable(RedactUrls(url)))));
  }
  const std::size_t sign = url.find('#');
  const std::size_t colon = url.find(':', sign == std::string::npos ? url.size() : sign);
  if (colon != std::string::npos) {
    return Cat(url.substr(0, colon + 1), CleanPath(Cat(url.substr(colon + 1), '/', folder)));
  }
  return Cat(url, sign == std::string::npos ? "#:" : ":", folder);
}

Result<std::string> PlaceOf(const std::string& context, const Origin& origin) {
  if (context.starts_with(kHere)) return CleanPath(context.substr(kHere.size()));
  const bool elsewhere = context.find("://") != std::string::npos || plan::IsRemoteContext(context);
  if (elsewhere) return context;
  const std::string folder = CleanPath(context);
  const bool stays = origin.url.empty() || (origin.print && folder != ".");
  return stays ? folder : FolderAt(origin.url, folder);
}

/// Defaults, and what follows from other fields.
Result<> Complete(const std::string& name, const Origin& origin, Fields& fields) {
  if (fields.context.value_or("") == "-") {
    return Fail(BadTarget(Cat("target ", name, ": context from stdin not allowed in bake")));
  }
  auto place = PlaceOf(fields.context.value_or("."), origin);
  if (!place) return Fail(std::move(place).error().While(Cat("target ", name)));
  fields.context = *std::move(place);
  for (auto& [context, value] : fields.contexts) {
    const bool local = !origin.url.empty() && !value.empty() &&
                       value.find("://") == std::string::npos && LinkedTarget(value).empty();
    if (!local) continue;
    auto folder = PlaceOf(value, origin);
    if (!folder) return Fail(std::move(folder).error().While(Cat("target ", name)));
    value = *std::move(folder);
  }
  if (fields.dockerfile.value_or("").empty()) fields.dockerfile = "Dockerfile";
  if (fields.network.value_or("") == "host") fields.entitlements.emplace_back("network.host");
  Normalize(fields);
  return {};
}

bool IsAmong(const Strings& some, const Strings& all) {
  return std::all_of(some.begin(), some.end(), [&](const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  });
}

Result<> CheckPlatforms(const std::string& user,
                        const Fields& wanted,
                        const std::string& linked,
                        const Fields& offered) {
  if (!wanted.platforms || !offered.platforms) return {};
  if (wanted.platforms->size() < 2 || offered.platforms->size() < 2) return {};
  if (IsAmong(*wanted.platforms, *offered.platforms)) return {};
  return Fail(BadTarget(Cat("target ", linked, " can't be used by ", user, ": its platforms ",
                            Join(*offered.platforms, ", "), " lack some of ",
                            Join(*wanted.platforms, ", "))));
}

/// Follows links from the targets of a resolution, and adds what they lead to.
class Links {
 public:
  Links(Inheritance& inheritance,
        const Definition& definition,
        const Origin& origin,
        Resolution& resolution)
      : inheritance_(inheritance),
        definition_(definition),
        origin_(origin),
        resolution_(resolution) {}

  Result<> Follow(const std::string& name, std::size_t depth = 0) {
    TRY(CheckNesting(depth, name));
    if (done_.contains(name)) return {};
    open_.insert(name);
    const StringMap contexts = resolution_.targets[name].contexts;
    for (const auto& [context, value] : contexts) {
      const std::string linked = LinkedTarget(value);
      if (linked.empty()) continue;
      if (linked == name) {
        return Fail(BadTarget(Cat("target ", name, " cannot link to itself")));
      }
      if (open_.contains(linked)) {
        return Fail(BadTarget(
            Cat("targets link to each other in a circle: ", name, " to ", Printable(linked))));
      }
      TRY(AddTarget(name, linked));
      TRY(Follow(linked, depth + 1));
      TRY(Join(name, linked));
    }
    open_.erase(name);
    done_.insert(name);
    return {};
  }

 private:
  Result<> AddTarget(const std::string& user, const std::string& linked) {
    if (resolution_.targets.contains(linked)) return {};
    if (!definition_.targets.contains(linked)) {
      return Fail(Unknown(definition_, linked).While(Cat("target ", user)));
    }
    TRY_ASSIGN(Fields fields, inheritance_.Of(linked));
    TRY(Complete(linked, origin_, fields));
    fields.output = Entries{{{"type", "cacheonly"}}};
    resolution_.targets.emplace(linked, std::move(fields));
    resolution_.linked.insert(linked);
    return {};
  }

  Result<> Join(const std::string& user, const std::string& linked) {
    Fields& wanted = resolution_.targets[user];
    const Fields& offered = resolution_.targets[linked];
    TRY(CheckPlatforms(user, wanted, linked, offered));
    wanted.entitlements.insert(wanted.entitlements.end(), offered.entitlements.begin(),
                               offered.entitlements.end());
    Normalize(wanted);
    return {};
  }

  Inheritance& inheritance_;
  const Definition& definition_;
  const Origin& origin_;
  Resolution& resolution_;
  std::set<std::string> open_;
  std::set<std::string> done_;
};

/// "default" stands for what was asked for.
void NameDefault(const Strings& wanted, Resolution& resolution) {
  const bool is_group = resolution.groups.contains("default");
  Group& group = resolution.groups["default"];
  for (const std::string& name : wanted)
    if (name != "default" || !is_group) group.targets.push_back(name);
  std::sort(group.targets.begin(), group.targets.end());
  group.targets.erase(std::unique(group.targets.begin(), group.targets.end()), group.targets.end());
}

/// What a resolution is made of.
Ignored::Used UsedBy(const Resolution& resolution, const Definition& definition) {
  Ignored::Used used;
  for (const auto& [name, group] : resolution.groups)
    used.groups.insert(name);
  Strings open;
  for (const auto& [name, fields] : resolution.targets)
    open.push_back(name);
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    const auto target = definition.targets.find(name);
    if (target == definition.targets.end() || !used.targets.insert(name).second) continue;
    open.insert(open.end(), target->second.inherits.begin(), target->second.inherits.end());
  }
  return used;
}

}  // namespace

std::string LinkedTarget(const std::string& context) {
  constexpr std::string_view kLink = "target:";
  return context.starts_with(kLink) ? context.substr(kLink.size()) : "";
}

Result<Resolution> Resolve(const Definition& definition,
                           Strings wanted,
                           const Overrides& overrides,
                           const Origin& origin) {
  if (wanted.empty()) wanted.emplace_back("default");
  for (std::string& word : wanted)
    word = AsTargetName(std::move(word));
  TRY_ASSIGN(wanted, ExpandGlobs(definition, wanted));
  GroupWalk walk(definition);
  for (const std::string& name : wanted)
    TRY(walk.Add(name));
  Inheritance inheritance(definition, overrides);
  Resolution resolution;
  for (const std::string& name : walk.targets()) {
    TRY_ASSIGN(Fields fields, inheritance.Of(name));
    TRY(Complete(name, origin, fields));
    resolution.targets.emplace(name, std::move(fields));
  }
  for (const std::string& name : walk.groups())
    resolution.groups.emplace(name, definition.groups.find(name)->second);
  NameDefault(wanted, resolution);
  Links links(inheritance, definition, origin, resolution);
  for (const std::string& name : walk.targets())
    TRY(links.Follow(name));
  resolution.notices = definition.ignored.Lines(UsedBy(resolution, definition));
  return resolution;
}

}  // namespace depot::bake
