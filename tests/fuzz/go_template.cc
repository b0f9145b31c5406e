#include "plugin/command/go_template.h"

#include <cstdint>
#include <string_view>

#include "driver/base/json.h"

// Templates of --format, and what they make of an image's data.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto format = depot::command::GoTemplate::Parse(text);
  if (!format) return 0;
  static const depot::Json kImage = *depot::Json::Parse(
      R"({"name":"a","manifest":{"digest":"d","manifests":[{"platform":{"os":"linux"}},{}]},"n":1})");
  (void)format->Mentions("SBOM");
  (void)format->Run(kImage, [](const depot::Json& json) { return json.Dump(); });
  return 0;
}
