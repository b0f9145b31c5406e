#include "plugin/options/build_flags.h"

#include <algorithm>
#include <iterator>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/flags/flag_table.h"
#include "plugin/options/annotation_flag.h"
#include "plugin/options/attest_flags.h"
#include "plugin/options/attributes.h"
#include "plugin/options/build_checks.h"
#include "plugin/options/cache_flags.h"
#include "plugin/options/call_flags.h"
#include "plugin/options/context_flags.h"
#include "plugin/options/flag_values.h"
#include "plugin/options/limit_flags.h"
#include "plugin/options/old_flags.h"
#include "plugin/options/output_flag.h"
#include "plugin/options/retry_flags.h"
#include "plugin/options/source_flags.h"
#include "plugin/options/tag_flags.h"

namespace depot::options {
namespace {

/// What the flags of one command line write into.
struct BuildLine {
  BuildOptions options;
  AttestFlags attests;
  bool help = false;
};

flags::FlagSetter AddBuildArg(BuildOptions& options) {
  return flags::Added(options.build_args,
                      [](const std::string& text) { return ParseAssignment("--build-arg", text); });
}

flags::FlagSetter AddLabel(BuildOptions& options) {
  return [&options](const std::string& text) -> Result<> {
    TRY_ASSIGN(auto label, ParseAssignment("--label", text));
    options.labels.emplace_back(std::move(label.first), label.second.value_or(""));
    return {};
  };
}

flags::FlagSetter AddSecret(BuildOptions& options) {
  return [&options](const std::string& text) -> Result<> {
    if (text.empty()) {
      options.notices.emplace_back("--secret \"\" gives nothing");
      return {};
    }
    TRY_ASSIGN(SecretSource secret, ParseSecret(text));
    options.secrets.push_back(std::move(secret));
    return {};
  };
}

flags::FlagSetter AddHosts(BuildOptions& options) {
  return [&options](const std::string& text) -> Result<> {
    if (text.empty()) {
      options.notices.emplace_back("--add-host \"\" gives nothing");
      return {};
    }
    TRY_ASSIGN(auto hosts, ParseAddHost(text));
    options.add_hosts.insert(options.add_hosts.end(), hosts.begin(), hosts.end());
    return {};
  };
}

flags::FlagSetter AddEntitlements(BuildOptions& options) {
  return [&options](const std::string& text) -> Result<> {
    TRY_ASSIGN(std::vector<std::string> names, ParseEntitlements(text));
    for (std::string& name : names) {
      if (name == kLocalDelete) {
        options.allow_local_delete = true;
      } else {
        options.allow.push_back(std::move(name));
      }
    }
    return {};
  };
}

flags::FlagSetter AddPlatforms(BuildOptions& options) {
  return [&known = options.platforms](const std::string& text) -> Result<> {
    TRY_ASSIGN(std::vector<Platform> platforms, ParsePlatforms(text));
    for (Platform& platform : platforms) {
      if (std::find(known.begin(), known.end(), platform) == known.end()) {
        known.push_back(std::move(platform));
      }
    }
    return {};
  };
}

flags::FlagSetter AddAnnotations(BuildOptions& options) {
  return [&known = options.annotations](const std::string& text) -> Result<> {
    TRY_ASSIGN(std::vector<Annotation> annotations, ParseAnnotation(text));
    for (Annotation& annotation : annotations) {
      std::erase_if(known, [&](const Annotation& earlier) {
        return earlier.type == annotation.type && earlier.platform == annotation.platform &&
               earlier.key == annotation.key;
      });
      known.push_back(std::move(annotation));
    }
    return {};
  };
}

flags::FlagSetter AddShorthand(AttestFlags& attests, std::string_view type) {
  return [&attests, type](const std::string& text) { return attests.AddShorthand(type, text); };
}

flags::FlagSetter AddOutput(BuildOptions& options) {
  return [&options](const std::string& text) -> Result<> {
    // As for docker buildx.
    if (text.empty()) {
      options.notices.emplace_back("--output with an empty value asks for nothing");
      return {};
    }
    TRY_ASSIGN(Output output, ParseOutput(text));
    options.outputs.push_back(std::move(output));
    return {};
  };
}

/// The one policy that needs no engine is none.
flags::FlagSetter DisablePolicy(BuildOptions& options) {
  return [&options](const std::string& value) -> Result<> {
    std::string_view disabled(value);
    if (disabled.starts_with("disabled=") && ParseBool(disabled.substr(9)) == true) {
      options.policy_disabled = true;
      return {};
    }
    return Fail(Error(ErrorCode::kUsage, Cat("--policy ", Printable(value),
                                             " cannot be applied: there is no Rego engine here"))
                    .WithHint("build with docker buildx, or without a policy: disabled=true"));
  };
}

flags::FlagSetter SetNativeOnly(BuildOptions& options) {
  return [&options](const std::string& value) -> Result<> {
    options.native_only = value == "true";
    return {};
  };
}

std::vector<flags::Flag> InputFlags(BuildOptions& options) {
  return {
      {"add-host", 0, kText, "list", "Add a host-to-IP mapping (format: \"host:ip\")",
       AddHosts(options)},
      {"allow", 0, kText, "list",
       "Allow extra privileged entitlement (\"network.host\", \"security.insecure\", "
       "\"device[=NAME]\", \"buildx.local.delete\")",
       AddEntitlements(options)},
      {"build-arg", 0, kText, "list",
       "Set build-time variables; a name without a value takes it from the environment",
       AddBuildArg(options)},
      {"file", 'f', kText, "string",
       "Name of the Dockerfile (default \"PATH/Dockerfile\"); \"-\" reads standard input",
       flags::Into(options.file)},
      {"label", 0, kText, "list", "Set metadata for an image", AddLabel(options)},
      {"network", 0, kText, "string",
       "Networking mode of the RUN instructions: \"default\", \"host\", \"none\"",
       flags::Parsed(options.network, ParseNetwork)},
      {"no-cache", 0, kSwitch, "", "Do not use cache when building the image",
       flags::Into(options.no_cache)},
      {"no-cache-filter", 0, kText, "list", "Do not use cache for these stages",
       flags::Added(options.no_cache_filter, ParseStageName)},
      {"platform", 0, kText, "list",
       "Set target platforms for build, as in \"linux/amd64,linux/arm64\"", AddPlatforms(options)},
      {"policy", 0, kText, "string",
       "\"disabled=true\" builds without the policy beside the Dockerfile (Dockerfile.rego)",
       DisablePolicy(options)},
      {"pull", 0, kSwitch, "", "Always look for a newer version of referenced images",
       flags::Into(options.pull)},
      {"secret", 0, kText, "list",
       "Secret to expose to the build (format: \"id=mysecret[,src=/local/secret]\" or "
       "\"id=mysecret,env=VARIABLE\")",
       AddSecret(options)},
      {"target", 0, kText, "string", "Set the target build stage to build",
       flags::Into(options.target)},
  };
}

std::vector<flags::Flag> ResultFlags(BuildLine& line) {
  BuildOptions& options = line.options;
  return {
      {"builder", 0, kText, "string",
       "Builder to use: an address, as in \"tcp://host:1234\" or \"unix:///path\", or one for each "
       "platform: \"PLATFORM=ADDRESS,PLATFORM=ADDRESS\" (default $DEPOT_BUILDER)",
       flags::Into(options.builder)},
      {"config", 0, kText, "", "", flags::Into(options.docker_config)},
      {"debug", 'D', kSwitch, "", "Show more of warnings", flags::Into(options.debug)},
      {"help", 'h', kSwitch, "", "Print usage", flags::Into(line.help)},
      {"iidfile", 0, kText, "string", "Write the image ID to a file", flags::Into(options.iidfile)},
      {"load", 0, kSwitch, "", "Load the image into the local Docker Engine",
       flags::Into(options.load)},
      {"metadata-file", 0, kText, "string", "Write build result metadata to a file",
       flags::Into(options.metadata_file)},
      {"no-preflight", 0, kSwitch, "",
       "Do not ask the registries at the start whether the push will be allowed",
       flags::Into(options.no_preflight)},
      {"output", 'o', kText, "list",
       "Output destination (format: \"type=local,dest=path\"): types local, tar, oci, docker, "
       "image, registry; a path alone is local, \"-\" a tar archive to standard output",
       AddOutput(options)},
      {"progress", 0, kText, "string",
       "Set type of progress output: \"auto\", \"gitlab\", \"none\", \"plain\", \"quiet\", "
       "\"rawjson\", \"tty\" (default \"auto\")",
       flags::Parsed(options.progress, ParseProgress)},
      {"push", 0, kSwitch, "", "Push the image to its registry", flags::Into(options.push)},
      {"quiet", 'q', kSwitch, "", "Suppress the build output and print image ID on success",
       flags::Into(options.quiet)},
      {"tag", 't', kText, "list", "Name and optionally a tag (format: \"name:tag\")",
       flags::Added(options.tags, ParseTag)},
  };
}

std::vector<flags::Flag> AttestationFlags(BuildLine& line) {
  BuildOptions& options = line.options;
  return {
      {"annotation", 0, kText, "list",
       "Add an annotation to the image (format: \"[TYPE[platform],...:]KEY=VALUE\", types "
       "manifest, manifest-descriptor, index, index-descriptor)",
       AddAnnotations(options)},
      {"attest", 0, kText, "list", "Attestation parameters (format: \"type=sbom,generator=image\")",
       [&line](const std::string& text) { return line.attests.AddAttest(text); }},
      {"provenance", 0, kText, "string",
       "Shorthand for \"--attest type=provenance\": true, false, mode=min, mode=max",
       AddShorthand(line.attests, "provenance")},
      {"sbom", 0, kText, "string",
       "Shorthand for \"--attest type=sbom\": true, false, generator=image",
       AddShorthand(line.attests, "sbom")},
      {"sbom-dir", 0, kText, "string",
       "Write the SBOM to this directory, one SPDX file per platform; implies --sbom=true",
       flags::Into(options.sbom_dir)},
  };
}

std::vector<flags::Flag> DepotFlags(BuildOptions& options) {
  return {
      {"build-platform", 0, kText, "string",
       "Build on machines of this platform: \"dynamic\", \"linux/amd64\", \"linux/arm64\" "
       "(default \"dynamic\")",
       flags::Parsed(options.build_platform, ParseBuildPlatform)},
      {"emulate", 0, kSwitch, "",
       "Build a platform that no builder runs, natively or with an emulator, all the same",
       flags::Into(options.emulate)},
      {"native-only", 0, kSwitch, "",
       "Refuse a platform that no builder runs natively (default with the Depot API, or "
       "$DEPOT_NATIVE_ONLY)",
       SetNativeOnly(options)},
      {"project", 0, kText, "string",
       "Depot project to build in (default $DEPOT_PROJECT_ID, or depot.json)",
       flags::Into(options.project)},
      {"save", 0, kSwitch, "", "Keep the image in the Depot registry, for \"pull\"",
       flags::Into(options.save)},
      {"save-tag", 0, kText, "list", "Further tags of the saved image; needs --save",
       flags::Added(options.save_tags, ParseSaveTag)},
      {"suppress-no-output-warning", 0, kSwitch, "",
       "Do not warn that the result only stays in the build cache",
       flags::Into(options.suppress_no_output_warning)},
      {"token", 0, kText, "string", kTokenHelp, flags::Into(options.token)},
  };
}

std::vector<flags::Flag> BuildTable(BuildLine& line) {
  BuildOptions& options = line.options;
  std::vector<flags::Flag> table;
  for (std::vector<flags::Flag> part :
       {InputFlags(options), ResultFlags(line), AttestationFlags(line), DepotFlags(options),
        SourceFlags(options.sources), ContextFlags(options.contexts), CacheFlags(options.caches),
        CallFlags(options.call, options.lint), LimitFlags(options.limits),
        ReportFlags(options.reports), RetryFlags(options.retry), TagFlags(options.tagging),
        OldFlags(options.notices)}) {
    std::move(part.begin(), part.end(), std::back_inserter(table));
  }
  return table;
}

std::string UsageLine(std::string_view program) {
  return Cat(program, " build [OPTIONS] PATH | URL | -");
}

Error WrongCount(const std::vector<std::string>& arguments, std::string_view program) {
  std::string got;
  for (const std::string& argument : arguments)
    got += Cat(" \"", Printable(argument), "\"");
  if (arguments.size() > 1) got.insert(0, Cat(", got ", arguments.size(), ":"));
  return Error(ErrorCode::kUsage, Cat("'", program, " build' requires 1 argument", got))
      .WithHint(Cat("usage: ", UsageLine(program)));
}

/// `table` is that of `line`, which is as new.
Result<std::optional<BuildOptions>> ParseValues(BuildLine& line,
                                                const std::vector<flags::Flag>& table,
                                                const std::vector<std::string>& words,
                                                std::string_view program) {
  TRY_ASSIGN(auto arguments, flags::ParseWords(table, words, flags::Placement::kAnywhere));
  if (line.help) return std::nullopt;
  if (arguments.size() != 1) return Fail(WrongCount(arguments, program));
  BuildOptions& options = line.options;
  options.context = arguments.front();
  for (const auto& [type, attestation] : line.attests.result()) {
    if (attestation.disabled) {
      options.attests_disabled.insert(type);
    } else {
      options.attests[type] = attestation.attrs;
    }
  }
  if (!options.call.method.empty()) LeaveOutResults(options);
  return std::move(options);
}

Result<std::optional<BuildOptions>> ParseWords(const std::vector<std::string>& words,
                                               std::string_view program) {
  BuildLine line;
  TRY_ASSIGN(std::optional<BuildOptions> values,
             ParseValues(line, BuildTable(line), words, program));
  if (!values) return std::nullopt;
  BuildOptions& options = *values;
  TRY(CheckTogether(options));
  ImplySbom(options);
  if (options.progress == ProgressMode::kQuiet) options.quiet = true;
  if (options.quiet) options.progress = ProgressMode::kQuiet;
  return values;
}

}  // namespace

Result<std::optional<BuildOptions>> ParseBuildFlags(const std::vector<std::string>& words,
                                                    std::string_view program) {
  auto options = ParseWords(words, program);
  if (options || !options.error().hint().empty()) return options;
  return Fail(std::move(options).error().WithHint(Cat("see '", program, " build --help'")));
}

struct BuildValues::Parts {
  BuildLine line;
  std::vector<flags::Flag> table = BuildTable(line);  ///< its setters write to `line`
};

BuildValues::BuildValues(std::string program)
    : program_(std::move(program)), parts_(std::make_unique<Parts>()) {}

BuildValues::~BuildValues() = default;

Result<BuildOptions> BuildValues::Parse(const std::vector<std::string>& words) {
  parts_->line = BuildLine();
  TRY_ASSIGN(std::optional<BuildOptions> options,
             ParseValues(parts_->line, parts_->table, words, program_));
  return options.value_or(BuildOptions());
}

std::vector<flags::Flag> BuildFlagNames() {
  BuildLine line;
  return flags::WithoutSetters(BuildTable(line));
}

std::string BuildHelp(std::string_view program) {
  BuildLine line;
  return Cat("Usage:  ", UsageLine(program), "\n\nBuild an image from a Dockerfile\n\nOptions:\n",
             flags::FormatFlags(BuildTable(line)));
}

bool WantsLoad(const BuildOptions& options) {
  return options.load ||
         std::any_of(options.outputs.begin(), options.outputs.end(), [](const Output& output) {
           return output.type == "docker" && output.dest.empty();
         });
}

}  // namespace depot::options
