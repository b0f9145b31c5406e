#include "plugin/options/annotation_flag.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

constexpr std::string_view kForm = "write [TYPE[platform],...:]KEY=VALUE, as in index:team=blue";

Error WrongAnnotation(std::string_view message) {
  return Error(ErrorCode::kUsage, Cat("--annotation: ", message));
}

/// TYPE or TYPE[platform].
Result<Annotation> ParsePlace(std::string_view text) {
  static const std::vector<std::string_view> known = {"manifest", "manifest-descriptor", "index",
                                                      "index-descriptor"};
  std::size_t bracket = text.find('[');
  std::string_view type = text.substr(0, bracket);
  if (std::find(known.begin(), known.end(), type) == known.end()) {
    return Fail(
        WrongAnnotation(Cat("unknown type \"", Printable(type), "\"", Suggest(type, known))));
  }
  Annotation annotation;
  annotation.type = type;
  if (bracket == std::string_view::npos) return annotation;
  if (text.back() != ']') {
    return Fail(WrongAnnotation(Cat("\"", Printable(text), "\" has no closing bracket")));
  }
  if (type.starts_with("index")) {
    return Fail(WrongAnnotation(Cat(type, " has no platform: the index is one for all of them")));
  }
  auto platform = ParsePlatform(text.substr(bracket + 1, text.size() - bracket - 2));
  if (!platform) return Fail(AsUsage(platform.error(), "--annotation"));
  annotation.platform = *std::move(platform);
  return annotation;
}

}  // namespace

Result<std::vector<Annotation>> ParseAnnotation(std::string_view value) {
  std::size_t sign = value.find('=');
  if (sign == std::string_view::npos) {
    return Fail(WrongAnnotation(Cat("\"", Printable(value), "\" is not KEY=VALUE"))
                    .WithHint(std::string(kForm)));
  }
  std::string_view key = value.substr(0, sign);
  std::string_view types = "manifest";
  if (std::size_t colon = key.find(':'); colon != std::string_view::npos) {
    types = key.substr(0, colon);
    key.remove_prefix(colon + 1);
  }
  if (key.empty()) return Fail(WrongAnnotation("the key is empty").WithHint(std::string(kForm)));
  std::vector<Annotation> annotations;
  for (std::string_view type : Split(types, ',')) {
    TRY_ASSIGN(Annotation annotation, ParsePlace(type));
    annotation.key = key;
    annotation.value = value.substr(sign + 1);
    annotations.push_back(std::move(annotation));
  }
  return annotations;
}

std::optional<Annotation> AnnotationOfAttribute(std::string_view key, std::string_view value) {
  constexpr std::string_view kPrefix = "annotation";
  // A platform may have a dot in it, a type has none.
  const bool platform = key.find('[') < key.find('.');
  const std::size_t dot = key.find('.', platform ? key.find(']') : 0);
  if (!key.starts_with(kPrefix) || dot == std::string_view::npos || dot + 1 == key.size()) {
    return std::nullopt;
  }
  std::string place(key.substr(kPrefix.size(), dot - kPrefix.size()));
  if (place.starts_with('-')) {
    place.erase(0, 1);
  } else {
    place.insert(0, "manifest");
  }
  auto annotation = ParsePlace(place);
  if (!annotation) return std::nullopt;
  annotation->key = key.substr(dot + 1);
  annotation->value = value;
  return *std::move(annotation);
}

}  // namespace depot::options
