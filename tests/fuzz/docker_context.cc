#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <unistd.h>

#include "driver/docker/contexts.h"

// The meta.json of a docker context, and the address of an Engine. The context is called "x".

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

/// The folder of the context store, made with the first use and left for the next input.
const std::string& Store() {
  static const std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-context-XXXXXX").string();
    Require(::mkdtemp(name.data()) != nullptr);
    return name;
  }();
  return folder;
}

void CheckEndpoint(const depot::Result<depot::docker::EngineEndpoint>& endpoint) {
  if (!endpoint) return;
  auto address = depot::docker::ParseEngineHost(*endpoint);
  Require(address.has_value());
  const bool socket = address->socket_path.starts_with('/');
  const bool ssh = !address->ssh.empty();
  const bool tcp = !address->address.empty();
  Require(socket + ssh + tcp == 1);
  Require(tcp ? address->port != 0 : !endpoint->tls);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // SHA-256 of "x".
  const std::string folder =
      Store() + "/contexts/meta/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/meta.json", std::ios::binary | std::ios::trunc) << text;
  depot::docker::ConfigFile config;
  config.directory = Store();
  depot::docker::EngineFlags flags;
  flags.context = "x";
  CheckEndpoint(depot::docker::ResolveEngine(flags, {}, config));
  flags.context = "y";
  Require(!depot::docker::ResolveEngine(flags, {}, config).has_value());
  flags.context.clear();
  flags.host = text;
  if (!text.empty()) CheckEndpoint(depot::docker::ResolveEngine(flags, {}, config));
  return 0;
}
