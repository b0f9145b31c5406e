#include "driver/docker/config_edit.h"

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "driver/base/json.h"

// config.json, edited as text: what comes out is JSON, has the alias or has it no more, and nothing
// else is different.

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto with = depot::docker::WithAlias(text, "builder", "depot");
  if (!with) return 0;
  auto alias = depot::docker::AliasOf(*with, "builder");
  Require(alias && *alias == "depot");
  Require(depot::docker::WithAlias(*with, "builder", "depot") == *with);
  auto before = depot::Json::Parse(text);
  auto after = depot::Json::Parse(*with);
  Require(after.has_value());
  if (!before) return 0;
  before->Set("aliases", {});
  after->Set("aliases", {});
  Require(before->Dump() == after->Dump());
  return 0;
}
