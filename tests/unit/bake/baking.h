#pragma once

#include <string>
#include <vector>

#include "driver/base/json.h"
#include "plugin/bake/load.h"
#include "plugin/bake/print.h"
#include "plugin/bake/resolve.h"

namespace depot::bake {

/// A definition and what is asked of it.
struct Baking {
  std::vector<DefinitionFile> files;
  Strings wanted{};
  Strings settings{};
  Environment environment{};
  std::string url{};
};

inline Result<Resolution> ResolveBaking(const Baking& baking) {
  TRY_ASSIGN(const Definition definition, LoadDefinition(baking.files, {baking.environment}));
  TRY_ASSIGN(const Overrides overrides,
             ReadOverrides(definition, baking.settings, baking.environment));
  return Resolve(definition, baking.wanted, overrides, {baking.url});
}

/// The JSON of --print in one line, or the error's message.
inline std::string Baked(const Baking& baking) {
  auto resolution = ResolveBaking(baking);
  if (!resolution) return resolution.error().message();
  return Json::Parse(PrintResolution(*resolution))->Dump();
}

/// Of the only target, without context and dockerfile.
inline std::string BakedTarget(const Baking& baking) {
  auto resolution = ResolveBaking(baking);
  if (!resolution) return resolution.error().message();
  const Json all = (*Json::Parse(PrintResolution(*resolution)))["target"];
  const Json one = all[all.Keys().back()];
  Json rest = Json::Object();
  for (const std::string& key : one.Keys())
    if (key != "context" && key != "dockerfile") rest.Set(key, one[key]);
  return rest.Dump();
}

inline Baking Hcl(std::string text) {
  return {{{"docker-bake.hcl", std::move(text)}}};
}

inline Baking Compose(std::string text) {
  return {{{"compose.yaml", std::move(text)}}};
}

}  // namespace depot::bake
