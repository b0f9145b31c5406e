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
                  const Names& known) {
  for (const hcl::Attribute& attribute : content.attributes) {
    if (IsAmongNames(known, attribute.name)) continue;
    Note(kind, name, Printable(attribute.name), NearestOf(known, attribute.name));
  }
  for (const std::string& type : content.unread) {
    const bool attribute = IsAmongNames(known, type);
    Note(kind, name, BlockCalled(type),
         attribute ? Cat(", write ", type, " = {") : NearestOf(known, type));
  }
}

void Ignored::AddBlocksOfFiles(const hcl::Content& content, const Names& known) {
  for (const std::string& type : content.unread)
    Note("", "", BlockCalled(type), NearestOf(known, type));
}

void Ignored::Note(std::string kind, const std::string& name, std::string what, std::string hint) {
  auto [place, is_new] = places_.try_emplace({std::move(kind), std::move(what)});
  if (is_new) {
    place->second = {Printable(name), 0, std::move(hint)};
  } else {
    ++place->second.more;
  }
}

Strings Ignored::Lines() const {
  Strings lines;
  for (const auto& [said, place] : places_) {
    const auto& [kind, what] = said;
    const std::string others = place.more == 0 ? "" : Cat(" and ", place.more, " more");
    const std::string where = kind.empty() ? "" : Cat(kind, ' ', place.first, others, ": ");
    lines.push_back(Cat(where, what, " has no effect", place.hint));
  }
  return lines;
}

}  // namespace depot::bake
