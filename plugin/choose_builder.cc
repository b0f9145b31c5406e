#include "plugin/choose_builder.h"

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/files/whole_file.h"
#include "driver/oci/digest.h"

namespace depot {
namespace {

/// What names a Depot project or token, for the error; "" when nothing does.
std::string DepotSetting(const std::string& context, const options::Environment& environment) {
  for (const char* variable : {"DEPOT_TOKEN", "DEPOT_PROJECT_ID", "DEPOT_OIDC_TOKEN"}) {
    if (!options::Variable(environment, variable).empty()) return Cat(variable, " is set");
  }
  std::error_code error;
  std::filesystem::path directory =
      std::filesystem::absolute(context == "-" ? "." : context, error);
  for (; !error; directory = directory.parent_path()) {
    for (const char* name : {"depot.json", "depot.yml", "depot.yaml"}) {
      std::string path = directory / name;
      if (::access(path.c_str(), F_OK) == 0) return Cat(path, " names a project");
    }
    if (directory == directory.parent_path()) break;
  }
  return "";
}

/// The builder keeps its copy of a context under a key, and sends nothing again that looks
/// unchanged there. Whoever knows the key could make the builder hand out another's files, so it
/// must not be guessable: with a client key it is derived from that key (and is the same in every
/// job of a project), else it is a random one kept beside config.json, where docker buildx keeps it
/// too.
std::string NodeId(const builder::Endpoint* endpoint,
                   const options::Environment& environment,
                   const std::string& config_directory) {
  if (endpoint != nullptr && !endpoint->tls_options.key_pem.empty()) {
    std::string project = options::Variable(environment, "CI_PROJECT_PATH");
    char host[256] = "";
    if (project.empty()) ::gethostname(host, sizeof host - 1);
    return Sha256Hex(Cat("context owner\n", endpoint->tls_options.key_pem.Reveal(), '\n', project,
                         '\n', host))
        .substr(0, 16);
  }
  std::string directory = options::Variable(environment, "BUILDX_CONFIG");
  if (directory.empty()) directory = config_directory + "/buildx";
  std::string path = directory + "/.buildNodeID";
  if (Result<std::string> known = files::ReadWholeFile(path, 1024);
      known && !Trim(*known).empty()) {
    return std::string(Trim(*known));
  }
  std::string fresh = Hex(RandomBytes(8));
  // A read-only home is no reason not to build: the next build then just sends its context again.
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  if (files::WriteWholeFile(path, fresh)) ::chmod(path.c_str(), 0600);
  return fresh;
}

}  // namespace

Result<BuilderChoice> ChooseBuilder(const std::string& builder_flag,
                                    const std::string& context,
                                    const options::Environment& environment,
                                    const docker::EngineEndpoint& engine,
                                    const std::string& config_directory) {
  std::string url =
      builder_flag.empty() ? options::Variable(environment, "DEPOT_BUILDER") : builder_flag;
  if (!url.empty()) {
    TRY_ASSIGN(builder::Endpoint endpoint, builder::ParseEndpoint(url, environment));
    std::string said_by = builder_flag.empty() ? "DEPOT_BUILDER" : "--builder";
    BuilderChoice choice;
    choice.line =
        Cat("building on ", endpoint.url, endpoint.tls ? " with TLS (" : " (", said_by, ')');
    choice.node_id = NodeId(&endpoint, environment, config_directory);
    choice.driver = builder::MakeRemoteDriver(std::move(endpoint));
    return choice;
  }
  if (std::string setting = DepotSetting(context, environment); !setting.empty()) {
    return Fail(
        Error(ErrorCode::kUnsupported, Cat("the Depot API is not supported yet, and ", setting))
            .WithHint("name a builder with --builder, or take the setting away to build on "
                      "the local Docker Engine"));
  }
  BuilderChoice choice;
  bool named = engine.context_name != "default";
  choice.line = Cat("building on the Docker Engine at ", RedactUrls(engine.host),
                    named ? " (context " : "", named ? engine.context_name : "", named ? ")" : "");
  choice.node_id = NodeId(nullptr, environment, config_directory);
  choice.driver = builder::MakeEngineDriver(engine);
  return choice;
}

}  // namespace depot
