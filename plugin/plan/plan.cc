#include "plugin/plan/plan.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/plan/git_url.h"
#include "plugin/plan/policy.h"

namespace depot::plan {
namespace {

constexpr std::string_view kSourceDateForm =
    "it is seconds since 1970, as `git log -1 --format=%ct` prints them";

bool HasOnlyImages(const Exports& exports) {
  for (std::size_t i = 0; i < exports.exporters.size(); ++i) {
    const std::string& type = exports.exporters[i].type;
    bool files = type == "local" || type == "tar";
    if (files && exports.destinations[i].kind != DestinationKind::kSbomFiles) return false;
  }
  return true;
}

bool IsOn(const Environment& environment, const std::string& name) {
  return ParseBool(TrimmedVariable(environment, name)).value_or(false);
}

/// Whether a provenance goes somewhere: it names the session as where the Dockerfile came from,
/// which is so only when the builder asks there.
bool PublishesProvenance(const options::BuildOptions& options, const solve::BuildRequest& request) {
  // That comes from the builder's record, which has one without being asked.
  if (!options.metadata_file.empty() || options.metadata_wanted) return true;
  auto wanted = request.frontend_attrs.find("attest:provenance");
  if (wanted == request.frontend_attrs.end()) return false;
  if (wanted->second.find("inline-only=true") == std::string::npos) return true;
  return std::any_of(request.exporters.begin(), request.exporters.end(),
                     [](const solve::Exporter& exporter) {
                       return exporter.type != "local" && exporter.type != "tar";
                     });
}

/// Attestations are then described as before OCI 1.1 (buildx build/opt.go).
void LeaveOutArtifacts(Exports& exports) {
  for (solve::Exporter& exporter : exports.exporters) {
    const std::string& type = exporter.type;
    if (type == "image" || type == "oci" || type == "moby") {
      exporter.attrs.emplace("oci-artifact", "false");
    }
  }
}

/// BuildKit has looked at SOURCE_DATE_EPOCH since 0.11; what it would find wrong is an error here,
/// the rest a line.
Result<std::string> AboutSourceDate(const solve::BuildRequest& request) {
  const auto said = request.frontend_attrs.find("build-arg:SOURCE_DATE_EPOCH");
  if (said == request.frontend_attrs.end() || said->second.empty()) return "";
  const std::string_view value = said->second;
  if (!ParseDecimal(value.substr(value.starts_with('-') ? 1 : 0))) {
    return Fail(Error(ErrorCode::kInvalid,
                      Cat("SOURCE_DATE_EPOCH: \"", Printable(value), "\" is no whole number"))
                    .WithHint(std::string(kSourceDateForm)));
  }
  return "SOURCE_DATE_EPOCH has no effect: this builder's BuildKit is older than 0.11, and gives "
         "an image the time of its build";
}

}  // namespace

Result<std::vector<session::SecretSpec>> PlanSecrets(const options::BuildOptions& options,
                                                     const Environment& environment) {
  std::vector<session::SecretSpec> specs;
  if (options.secrets.empty()) return specs;
  std::error_code error;
  const std::string context = options.context == "-" || IsRemoteContext(options.context)
                                  ? ""
                                  : std::filesystem::absolute(options.context, error).string();
  for (const options::SecretSource& source : options.secrets) {
    session::SecretSpec spec;
    spec.id = source.id;
    bool by_id = source.file.empty() && source.variable.empty();
    const std::string& name = by_id ? source.id : source.variable;
    auto variable = environment.find(name);
    if (source.file.empty() && variable != environment.end()) {
      spec.value = Secret(variable->second);
    } else if (!source.variable.empty()) {
      return Fail(
          Error(ErrorCode::kInvalid, Cat("--secret id=", Printable(source.id), ": the variable ",
                                         Printable(source.variable), " is not set"))
              .WithHint("export it, or give a file: src=FILE"));
    } else {
      spec.file = by_id ? source.id : source.file;
      spec.context = context;
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<BuildPlan> MakePlan(const options::BuildOptions& options,
                           const builder::Features& features,
                           const Source& source,
                           const PlanFacts& facts) {
  ExportFacts export_facts;
  export_facts.engine_containerd_store = facts.engine_containerd_store;
  export_facts.load_layers = facts.load_layers;
  export_facts.platforms = facts.frontend.platforms;
  export_facts.several_builders = facts.several_builders;
  export_facts.save_as = facts.save_as;
  export_facts.default_load = facts.default_load;
  const Environment& environment = facts.frontend.environment;
  export_facts.not_loaded = facts.not_loaded;
  export_facts.no_default_load =
      SwitchesDefaultLoadOff(environment) || !options.call.method.empty();
  export_facts.silent =
      IsOn(environment, "DEPOT_SUPPRESS_NO_OUTPUT_WARNING") || options.suppress_no_output_warning;
  TRY_ASSIGN(Exports exports, PlanExports(options, features, export_facts));
  if (IsOn(environment, "BUILDX_NO_DEFAULT_OCI_ARTIFACT")) LeaveOutArtifacts(exports);

  BuildPlan plan;
  FrontendFacts frontend_facts = facts.frontend;
  frontend_facts.image_of_several = facts.several_builders && HasOnlyImages(exports);
  TRY(PlanFrontend(options, features, source, frontend_facts, plan.request));
  if (!features.history) {
    TRY_ASSIGN(std::string line, AboutSourceDate(plan.request));
    if (!line.empty()) plan.warnings.push_back(std::move(line));
    if (!options.reports.code_quality.empty()) {
      plan.warnings.emplace_back(
          "--code-quality-file stays empty: this builder's BuildKit checks no Dockerfile; 0.14 and "
          "newer do");
    }
  }
  // A label that the user gave says what he means.
  plan.request.frontend_attrs.insert(facts.vcs.begin(), facts.vcs.end());
  AddSourcePolicy(facts.source_policy, plan.request);
  plan.request.exporters = std::move(exports.exporters);
  plan.destinations = std::move(exports.destinations);
  plan.engine_pushes = std::move(exports.engine_pushes);
  std::move(exports.warnings.begin(), exports.warnings.end(), std::back_inserter(plan.warnings));
  const std::string& node_id = facts.frontend.node_id;
  if (!source.shared_name.empty() && !node_id.empty()) {
    plan.request.shared_key = Cat(source.shared_name, ":", node_id);
  }
  // Without a name of its own on the builder nothing is kept there, and all of it travels anyway.
  if (!node_id.empty()) plan.request.dated = facts.dated;
  plan.request.explain = facts.explain;
  const bool known = facts.dockerfile && plan.request.frontend == "dockerfile.v0";
  if (known && !PublishesProvenance(options, plan.request)) {
    plan.request.dockerfile = solve::DockerfileInput(*facts.dockerfile);
  }
  // A builder that unpacks packs its answers too, and results are large.
  const bool nothing_returns =
      std::all_of(plan.destinations.begin(), plan.destinations.end(),
                  [](const Destination& d) { return d.kind == DestinationKind::kNone; });
  plan.request.may_pack = options.contexts.packed && !features.same_machine && nothing_returns;
  return plan;
}

}  // namespace depot::plan
