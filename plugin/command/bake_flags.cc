#include "plugin/command/bake_flags.h"

#include <algorithm>
#include <array>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/bake/entries.h"
#include "plugin/command/bake_access.h"
#include "plugin/command/command_line.h"
#include "plugin/options/attributes.h"
#include "plugin/options/build_checks.h"
#include "plugin/options/flag_values.h"
#include "plugin/options/tag_flags.h"

namespace depot::command {
namespace {

using options::Usage;

flags::FlagSetter Given(std::optional<bool>& target) {
  return [&target](const std::string& value) -> Result<> {
    target = value == "true";
    return {};
  };
}

Result<> SetListField(const std::string& key, const std::string& value, WantedList& list) {
  if (key == "type") {
    if (value != "targets" && value != "variables") {
      return Fail(Usage(
          Cat("--list: there is no list of \"", Printable(value), "\": targets or variables")));
    }
    list.variables = value == "variables";
    return {};
  }
  if (key == "format") {
    if (value != "table" && value != "json") {
      return Fail(Usage(Cat("--list: the format is table or json, not \"", Printable(value), '"')));
    }
    list.json = value == "json";
    return {};
  }
  return Fail(Usage(Cat("--list: unknown key \"", Printable(key), '"')));
}

Result<WantedList> ParseList(const std::string& text) {
  WantedList list;
  TRY_ASSIGN(const std::vector<std::string> fields, options::SplitRecord(text));
  if (fields.size() == 1 && fields[0].find('=') == std::string::npos) {
    TRY(SetListField("type", fields[0], list));
    return list;
  }
  for (const std::string& field : fields) {
    const std::size_t sign = field.find('=');
    const std::string value = sign == std::string::npos ? "" : field.substr(sign + 1);
    TRY(SetListField(field.substr(0, sign), value, list));
  }
  return list;
}

/// The words of --allow (buildx bake/entitlements.go).
Result<std::string> ParseAllow(const std::string& value) {
  constexpr std::array<std::string_view, 6> kWords = {
      "network.host", "security.insecure", "ssh", "device", options::kLocalDelete, kLocalDevices};
  constexpr std::array<std::string_view, 5> kWithValue = {
      "device=", "fs=", "fs.read=", "fs.write=", "image"};
  const bool known = std::find(kWords.begin(), kWords.end(), value) != kWords.end() ||
                     std::any_of(kWithValue.begin(), kWithValue.end(),
                                 [&](std::string_view begin) { return value.starts_with(begin); });
  if (known) return value;
  return Fail(Usage(Cat("--allow: unknown entitlement ", Printable(value))));
}

Result<std::string> ParseVariable(const std::string& value) {
  const std::size_t sign = value.find('=');
  if (sign != std::string::npos && sign > 0) return value;
  return Fail(
      Usage(Cat("--var: NAME=VALUE is wanted, not \"", Printable(value.substr(0, sign)), '"')));
}

Result<std::size_t> ParseParallel(const std::string& value) {
  const auto number = ParseDecimal(value);
  if (number && *number > 0 && *number <= 1000) return static_cast<std::size_t>(*number);
  return Fail(
      Usage(Cat("--max-parallel is a number from 1 to 1000, not \"", Printable(value), '"')));
}

std::vector<flags::Flag> DefinitionFlags(BakeOptions& line) {
  return {
      {"file", 'f', options::kText, "list", "Build definition file (HCL, JSON or compose)",
       flags::Added(line.files)},
      {"set", 0, options::kText, "list", "Override target value (format: \"target.key=value\")",
       flags::Added(line.settings)},
      {"var", 0, options::kText, "list",
       "Set a variable of the definition (format: \"name=value\")",
       flags::Added(line.variables, ParseVariable)},
      {"print", 0, options::kSwitch, "", "Print the targets without building them",
       flags::Into(line.print)},
      {"list", 0, options::kText, "string", "List \"targets\" or \"variables\"; \",format=json\"",
       [&line](const std::string& text) -> Result<> {
         TRY_ASSIGN(line.list, ParseList(text));
         return {};
       }},
      {"allow", 0, options::kText, "list",
       "Allow what a target asks for (\"network.host\", \"security.insecure\", \"ssh\", "
       "\"fs.read=PATH\", \"fs.write=PATH\")",
       flags::Added(line.allow, ParseAllow)},
  };
}

std::vector<flags::Flag> TargetFlags(BakeOptions& line) {
  return {
      {"push", 0, options::kSwitch, "", "Shorthand for \"--set=*.push=true\"",
       flags::Into(line.push)},
      {"load", 0, options::kSwitch, "", "Shorthand for \"--set=*.load=true\"",
       flags::Into(line.load)},
      {"no-cache", 0, options::kSwitch, "", "Do not use cache when building", Given(line.no_cache)},
      {"pull", 0, options::kSwitch, "", "Always look for a newer version of referenced images",
       Given(line.pull)},
      {"sbom", 0, options::kText, "string", "Shorthand for \"--set=*.attest=type=sbom\"",
       flags::Into(line.sbom)},
      {"provenance", 0, options::kText, "string",
       "Shorthand for \"--set=*.attest=type=provenance\"", flags::Into(line.provenance)},
      {"call", 0, options::kText, "string",
       "What to ask the frontends instead of building: \"check\", \"outline\", \"targets\"",
       [&line](const std::string& text) -> Result<> {
         TRY_ASSIGN(line.call, options::ParseCall("--call", text));
         return {};
       }},
      {"check", 0, options::kSwitch, "", "Shorthand for \"--call=check\"",
       [&line](const std::string& text) -> Result<> {
         if (text != "true") return {};
         TRY_ASSIGN(line.call, options::ParseCall("--check", "check"));
         return {};
       }},
  };
}

/// Those of the Depot CLI's bake.
std::vector<flags::Flag> DepotBakeFlags(BakeOptions& line) {
  options::BuildOptions& common = line.common;
  return {
      {"lint", 0, options::kSwitch, "", "Check the Dockerfiles before they are built",
       flags::Into(common.lint.wanted)},
      {"lint-fail-on", 0, options::kText, "string",
       "Severity from which on --lint ends the build: \"info\", \"warn\", \"error\", \"none\" "
       "(default \"error\")",
       flags::Parsed(common.lint.fails_on, options::ParseLintFailure)},
      {"save", 0, options::kSwitch, "",
       "Keep the images of the targets in the Depot registry, for \"pull --target\"",
       flags::Into(common.save)},
      {"save-tag", 0, options::kText, "list", "Further tags of the saved images; needs --save",
       flags::Added(common.save_tags, options::ParseSaveTag)},
      {"sbom-dir", 0, options::kText, "string",
       "Write the SBOMs to this directory, one SPDX file per target and platform; implies "
       "--sbom=true",
       flags::Into(common.sbom_dir)},
  };
}

std::vector<flags::Flag> RunFlags(BakeOptions& line) {
  options::BuildOptions& common = line.common;
  return {
      {"builder", 0, options::kText, "string", "Builder to use, as for \"build\"",
       flags::Into(common.builder)},
      {"build-platform", 0, options::kText, "string",
       "Build on machines of this platform: \"dynamic\", \"linux/amd64\", \"linux/arm64\"",
       flags::Parsed(common.build_platform, options::ParseBuildPlatform)},
      {"config", 0, options::kText, "", "", flags::Into(common.docker_config)},
      {"debug", 'D', options::kSwitch, "", "Show more of warnings", flags::Into(common.debug)},
      {"max-parallel", 0, options::kText, "number",
       "How many targets are built at a time (default 16)",
       flags::Parsed(line.max_parallel, ParseParallel)},
      {"metadata-file", 0, options::kText, "string", "Write build result metadata to a file",
       flags::Into(line.metadata_file)},
      {"no-preflight", 0, options::kSwitch, "",
       "Do not ask the registries at the start whether the push will be allowed",
       flags::Into(common.no_preflight)},
      {"progress", 0, options::kText, "string",
       "Set type of progress output: \"auto\", \"gitlab\", \"none\", \"plain\", \"quiet\", "
       "\"rawjson\", \"tty\" (default \"auto\")",
       flags::Parsed(common.progress, options::ParseProgress)},
      {"project", 0, options::kText, "string",
       "Depot project to build in (default $DEPOT_PROJECT_ID, or depot.json)",
       flags::Into(common.project)},
      {"token", 0, options::kText, "string", options::kTokenHelp, flags::Into(common.token)},
  };
}

}  // namespace

Result<std::optional<BakeOptions>> ParseBakeFlags(const Call& call) {
  BakeOptions line;
  std::vector<flags::Flag> table = DefinitionFlags(line);
  for (const std::vector<flags::Flag>& part :
       {TargetFlags(line), DepotBakeFlags(line), RunFlags(line),
        options::TagFlags(line.common.tagging)})
    table.insert(table.end(), part.begin(), part.end());
  TRY_ASSIGN(const bool go_on,
             ReadCommandLine({"bake", "Build the targets of a definition", std::move(table),
                              "[TARGET...]", nullptr, &line.targets},
                             call));
  if (!go_on) return std::nullopt;
  if (line.print && line.list) {
    return Fail(Usage("--print and --list cannot be used together"));
  }
  if (!line.common.save_tags.empty() && !line.common.save) {
    return Fail(Usage("--save-tag names images that are not saved").WithHint("add --save"));
  }
  return std::make_optional(std::move(line));
}

void TakeCommonOptions(const BakeOptions& line, options::BuildOptions& options) {
  options.no_preflight = line.common.no_preflight;
  options.suppress_no_output_warning = true;
  options.build_platform = line.common.build_platform;
  options.builder = line.common.builder;
  options.token = line.common.token;
  if (options::Pushes(options)) options.tagging = line.common.tagging;
}

void TakeTargetOptions(const BakeOptions& line, bool linked, options::BuildOptions& options) {
  TakeCommonOptions(line, options);
  options.lint = line.common.lint;
  // Not refused as for build: docker buildx bake uses no cache of any stage then.
  if (options.no_cache) options.no_cache_filter.clear();
  if (!linked) {
    options.save = line.common.save;
    options.save_tags = line.common.save_tags;
    options.sbom_dir = line.common.sbom_dir;
  }
  if (!options.call.method.empty()) options::LeaveOutResults(options);
}

std::vector<std::string> SettingsOf(const BakeOptions& options) {
  std::vector<std::string> settings;
  const auto word = [](bool on) { return on ? "true" : "false"; };
  if (options.push) settings.emplace_back("*.push=true");
  if (options.load) settings.emplace_back("*.load=true");
  if (options.no_cache) settings.push_back(Cat("*.no-cache=", word(*options.no_cache)));
  if (options.pull) settings.push_back(Cat("*.pull=", word(*options.pull)));
  if (!options.sbom.empty()) {
    settings.push_back(Cat("*.attest=", bake::AttestOf("sbom", options.sbom)));
  }
  if (!options.provenance.empty()) {
    settings.push_back(Cat("*.attest=", bake::AttestOf("provenance", options.provenance)));
  }
  if (!options.call.method.empty()) settings.push_back(Cat("*.call=", options.call.method));
  return settings;
}

}  // namespace depot::command
