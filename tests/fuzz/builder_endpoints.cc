// What names a builder: URLs, the addresses of Engines, and the files of docker buildx's instances.
// Whatever they say, no word of theirs may become an option of the program that is run for them.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "driver/builder/engine_driver.h"
#include "driver/builder/instances.h"

namespace depot::builder {
namespace {

/// The words before the first name, and after it, are ours: what begins with a dash there is known.
bool IsKnownOption(std::string_view word) {
  for (std::string_view known : {"-l", "-p", "-o", "-T", "-i", "--", "--addr"}) {
    if (word == known) return true;
  }
  for (std::string_view known :
       {"--context=", "--host=", "--namespace=", "--container=", "--kubeconfig="}) {
    if (word.starts_with(known) && word.size() > known.size()) return true;
  }
  return false;
}

void Check(const Endpoint& endpoint) {
  for (const std::string& word : endpoint.program) {
    const bool option = word.starts_with('-');
    const bool broken = word.empty() || word.find('\0') != std::string::npos ||
                        word.find('\n') != std::string::npos;
    if ((option && !IsKnownOption(word)) || broken) std::abort();
  }
  // ssh hands its words to a shell.
  if (endpoint.program.empty() || endpoint.program.front() != "ssh") return;
  for (const std::string& word : endpoint.program) {
    if (word.find_first_of(" ;&|<>$`\\\"'(){}*?!~#") != std::string::npos) std::abort();
  }
}

void TakeInput(std::string_view input) {
  // The seeds are files of text.
  if (input.ends_with('\n')) input.remove_suffix(1);
  if (auto endpoint = ParseEndpoint(input, {}, Cancel::Never())) Check(*endpoint);
  docker::EngineEndpoint engine;
  engine.host = input;
  if (auto endpoint = EndpointOfEngine(engine)) Check(*endpoint);
  engine.host = "unix:///var/run/docker.sock";
  engine.context_name = "default";
  const Environment environment;
  const std::string config_directory = "/";
  auto instance = ParseInstance(input, {environment, config_directory, engine}, Cancel::Never());
  if (!instance) return;
  for (const InstanceNode& node : instance->nodes)
    Check(node.endpoint);
}

}  // namespace
}  // namespace depot::builder

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  depot::builder::TakeInput({reinterpret_cast<const char*>(data), size});
  return 0;
}
