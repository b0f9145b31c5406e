#include "plugin/report/dotenv.h"

#include "driver/base/text.h"

namespace depot::report {
namespace {

/// GitLab knows neither quotes nor line breaks in a value; names and digests have none, whatever a
/// builder says.
std::string Line(std::string_view name, std::string_view value) {
  for (char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._:/@,+").find(c) != std::string_view::npos;
    if (!plain) return "";
  }
  return value.empty() ? "" : Cat(name, '=', value, '\n');
}

std::string ValueOf(const std::map<std::string, std::string>& response, const std::string& key) {
  auto found = response.find(key);
  return found == response.end() ? "" : found->second;
}

}  // namespace

std::string DotenvText(const std::map<std::string, std::string>& response,
                       const std::string& build) {
  const std::string names = ValueOf(response, "image.name");
  const std::string first = names.substr(0, names.find(','));
  const std::string digest = ValueOf(response, "containerimage.digest");
  std::string text = Line("DEPOT_IMAGE", first);
  if (first != names) text += Line("DEPOT_IMAGE_NAMES", names);
  text += Line("DEPOT_IMAGE_DIGEST", digest);
  if (!first.empty() && !digest.empty()) {
    // A tag has its colon behind the last slash, a port before it.
    const std::size_t colon = first.rfind(':');
    const std::size_t slash = first.rfind('/');
    const bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash);
    const std::string repository = tagged ? first.substr(0, colon) : first;
    text += Line("DEPOT_IMAGE_REFERENCE", Cat(repository, '@', digest));
  }
  return text + Line("DEPOT_IMAGE_BUILD", build);
}

}  // namespace depot::report
