#include "plugin/plan/exports_item.h"

#include "driver/base/text.h"

namespace depot::plan {

bool IsOn(const Item& item, const std::string& key) {
  auto found = item.attrs.find(key);
  return found != item.attrs.end() && ParseBool(found->second).value_or(false);
}

bool IsImage(const Item& item) {
  return item.type == "image";
}

bool IsPush(const Item& item) {
  return IsImage(item) && IsOn(item, "push");
}

bool IsLoad(const Item& item) {
  return item.destination.kind == DestinationKind::kEngineLoad;
}

bool HasTag(std::string_view name) {
  std::string_view last = name.substr(name.rfind('/') + 1);
  return last.substr(0, last.find('@')).find(':') != std::string_view::npos;
}

}  // namespace depot::plan
