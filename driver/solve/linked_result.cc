#include "driver/solve/linked_result.h"

#include "proto/gateway.pb.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/solve/definition_writer.h"
#include "driver/solve/gateway_result.h"

namespace depot::solve {
namespace {

namespace linked = moby::buildkit::v1::frontend;

constexpr const char* kConfiguration = "containerimage.config";

/// JSON of base64, as a Go map of bytes.
std::string ConfigurationAttribute(const std::string& configuration) {
  Json metadata = Json::Object();
  metadata.Set(kConfiguration, Json::String(Base64(configuration)));
  return metadata.Dump();
}

/// A file system without files. BuildKit takes a definition without operations for none.
std::string EmptyDefinition() {
  pb::Op op;
  pb::FileAction* action = op.mutable_file()->add_actions();
  action->set_input(-1);
  action->set_secondary_input(-1);
  action->set_output(0);
  action->mutable_mkdir()->set_path("/");
  action->mutable_mkdir()->set_mode(0755);
  action->mutable_mkdir()->set_make_parents(true);
  DefinitionWriter writer;
  return writer.Finish(writer.Add(op, "[internal] an image without files"));
}

}  // namespace

Result<LinkedInputs> LinkResult(const std::string& result,
                                const std::string& name,
                                const std::string& id) {
  TRY_ASSIGN(const linked::GatewayResult parsed, ReadGatewayResult(result));
  LinkedInputs link;
  auto add = [&](const linked::Ref& ref, const std::string& platform) {
    const std::string behind = platform.empty() ? "" : Cat("::", platform);
    link.attrs[Cat("context:", name, behind)] = Cat("input:", id, behind);
    link.inputs[Cat(id, behind)] =
        ref.def().def().empty() ? EmptyDefinition() : ref.def().SerializeAsString();
    const std::string key =
        platform.empty() ? std::string(kConfiguration) : Cat(kConfiguration, '/', platform);
    auto configuration = parsed.metadata().find(key);
    if (configuration == parsed.metadata().end()) return;
    link.attrs[Cat("input-metadata:", id, behind)] = ConfigurationAttribute(configuration->second);
  };
  if (parsed.has_refs()) {
    for (const auto& [platform, ref] : parsed.refs().refs())
      add(ref, platform);
  } else {
    add(parsed.ref(), "");
  }
  return link;
}

}  // namespace depot::solve
