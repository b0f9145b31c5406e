#include "plugin/bake/ignored.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::bake {
namespace {

bool IsAmongNames(const Ignored::Names& known, const std::string& name) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

std::string NearestOf(const Ignored::Names& known, const std::string& name) {
  const std::string_view near = Nearest(name, known);
  return near.empty() ? "" : Cat(", did you mean ", near, "?");
}

std::string BlockCalled(const std::string& type) {
  return Cat("the block ", Printable(type));
}

}  // namespace

void Ignored::Add(const std::string& kind,
                  const std::string& name,
                  const hcl::Content& content,
                  const Names& known,
                  const Strings& targets) {
  for (const hcl::Attribute& attribute : content.attributes) {
    if (IsAmongNames(known, attribute.name)) continue;
    Note(kind, {name, targets}, Printable(attribute.name), NearestOf(known, attribute.name));
  }
  for (const std::string& type : content.unread) {
    const bool attribute = IsAmongNames(known, type);
    Note(kind, {name, targets}, BlockCalled(type),
         attribute ? Cat(", write ", type, " = {") : NearestOf(known, type));
  }
}

void Ignored::AddOfService(const std::string& name, const std::string& target, std::string what) {
  Note("service", {name, {target}}, std::move(what), " in a bake");
}

void Ignored::AddBlocksOfFiles(const hcl::Content& content, const Names& known) {
  for (const std::string& type : content.unread)
    Note("", {}, BlockCalled(type), NearestOf(known, type));
}

void Ignored::Note(std::string kind, Place place, std::string what, std::string hint) {
  Word& word = words_[{std::move(kind), std::move(what)}];
  word.hint = std::move(hint);
  word.places.push_back(std::move(place));
}

bool Ignored::Counts(const std::string& kind, const Place& place, const Used& used) {
  if (kind == "group") return used.groups.contains(place.name);
  if (kind != "target" && kind != "service") return true;
  return std::any_of(place.targets.begin(), place.targets.end(),
                     [&](const std::string& target) { return used.targets.contains(target); });
}

Strings Ignored::Lines(const Used& used) const {
  Strings lines;
  for (const auto& [said, word] : words_) {
    const auto& [kind, what] = said;
    std::vector<const Place*> counting;
    for (const Place& place : word.places)
      if (Counts(kind, place, used)) counting.push_back(&place);
    if (counting.empty()) continue;
    const std::size_t more = counting.size() - 1;
    const std::string others = more == 0 ? "" : Cat(" and ", more, " more");
    const std::string where =
        kind.empty() ? "" : Cat(kind, ' ', Printable(counting[0]->name), others, ": ");
    lines.push_back(Cat(where, what, " has no effect", word.hint));
  }
  return lines;
}

}  // namespace depot::bake
