#include "plugin/plan/attached.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::plan {
namespace {

/// BuildKit's own default is the whole of it (frontend/attestations/parse.go).
std::string ModeOf(const std::string& attribute) {
  constexpr std::string_view kKey = "mode=";
  for (std::string_view field : Split(attribute, ',')) {
    if (field.starts_with(kKey)) return Printable(field.substr(kKey.size()));
  }
  return "max";
}

bool HasExport(const BuildPlan& plan, const std::vector<std::string_view>& types) {
  const auto& exporters = plan.request.exporters;
  for (std::size_t i = 0; i < exporters.size(); ++i) {
    const bool asked = plan.destinations[i].kind != DestinationKind::kSbomFiles;
    if (asked && std::find(types.begin(), types.end(), exporters[i].type) != types.end()) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string DescribeProvenance(const options::BuildOptions& options, const BuildPlan& plan) {
  auto attribute = plan.request.frontend_attrs.find("attest:provenance");
  if (attribute == plan.request.frontend_attrs.end()) return "";
  const bool inline_only = attribute->second.find("inline-only=true") != std::string::npos;
  std::vector<std::string> places;
  if (HasExport(plan, {"image", "moby"}) || (!inline_only && HasExport(plan, {"oci"}))) {
    places.emplace_back("attached to the image");
  }
  if (!inline_only && HasExport(plan, {"local", "tar"}))
    places.emplace_back("written to provenance.json");
  if (places.empty()) return "";
  const std::string mode = ModeOf(attribute->second);
  std::string line = Cat("provenance (mode=", mode, ") is ", Join(places, " and "));
  if (!options.attests.contains("provenance")) {
    line += " by default; --provenance=false leaves it out";
  } else if (mode == "max" && !options.build_args.empty()) {
    line += ", with the value of each --build-arg";
  }
  return line;
}

}  // namespace depot::plan
