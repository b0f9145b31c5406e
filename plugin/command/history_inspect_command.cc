#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <tuple>

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "driver/oci/platform.h"
#include "plugin/command/command_line.h"
#include "plugin/command/go_template.h"
#include "plugin/command/history_commands.h"
#include "plugin/command/history_records.h"
#include "plugin/deliver/provenance.h"

namespace depot::command {
namespace {

constexpr TabColumns kDetailColumns{1, 1, true};

using Attributes = std::map<std::string, std::string>;

/// What the frontend was told, where docker buildx has a name of its own for it.
struct Setting {
  std::string_view attribute;
  std::string_view key;      ///< in JSON
  std::string_view heading;  ///< for people
};

constexpr Setting kSettings[] = {
    {"force-network-mode", "Network", "Network"},
    {"hostname", "Hostname", "Hostname"},
    {"cgroup-parent", "CgroupParent", "Cgroup Parent"},
    {"image-resolve-mode", "ImageResolveMode", "Image Resolve Mode"},
    {"shm-size", "ShmSize", "Shm Size"},
    {"ulimit", "Ulimit", "Resource Limits"},
    {"build-arg:BUILDKIT_CACHE_MOUNT_NS", "CacheMountNS", "Cache Mount Namespace"},
    {"build-arg:BUILDKIT_DOCKERFILE_CHECK", "DockerfileCheckConfig", "Dockerfile Check Config"},
    {"build-arg:SOURCE_DATE_EPOCH", "SourceDateEpoch", "Source Date Epoch"},
    {"build-arg:SANDBOX_HOSTNAME", "SandboxHostname", "Sandbox Hostname"},
};

/// Attributes that are shown in places of their own.
constexpr std::array<std::string_view, 5> kElsewhere = {
    "vcs:", "build-arg:", "label:", "context:", "attest:"};

/// The names of gRPC's codes, as Go has them.
std::string_view NameOfCode(int code) {
  constexpr std::string_view kNames[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  return code >= 0 && code < static_cast<int>(std::size(kNames)) ? kNames[code] : "Unknown";
}

/// Taken out of `attributes`; "" = it is not there.
std::string Take(Attributes& attributes, std::string_view name) {
  const auto found = attributes.find(std::string(name));
  if (found == attributes.end()) return "";
  std::string value = std::move(found->second);
  attributes.erase(found);
  return value;
}

Json Pair(const std::string& name, const std::string& value) {
  Json pair = Json::Object();
  pair.Set("Name", Json::String(name));
  if (!value.empty()) pair.Set("Value", Json::String(value));
  return pair;
}

Json PairsBehind(const Attributes& attributes, std::string_view prefix) {
  Json pairs = Json::Array();
  for (const auto& [name, value] : attributes)
    if (name.starts_with(prefix)) pairs.Append(Pair(name.substr(prefix.size()), value));
  return pairs;
}

Json TextsIn(std::string_view list) {
  Json texts = Json::Array();
  for (std::string_view one : Split(list, ','))
    texts.Append(Json::String(one));
  return texts;
}

void SetUnlessEmpty(Json& into, std::string_view key, Json value) {
  const bool empty = value.is_string() ? value.AsString().empty() : value.size() == 0;
  if (!empty) into.Set(key, std::move(value));
}

/// As seen from `folder`, unless it is outside of it.
std::string SeenFrom(const std::string& folder, const std::string& path) {
  if (path.empty() || path == "-") return path;
  const std::string seen = std::filesystem::path(path).lexically_relative(folder).string();
  return seen.empty() || seen.starts_with("../") ? path : seen;
}

void SetSources(const KeptRecord& kept, Attributes& attributes, Json& out) {
  std::error_code error;
  std::string dockerfile = SeenFrom(kept.local.context, kept.local.dockerfile);
  std::string context = SeenFrom(std::filesystem::current_path(error).string(), kept.local.context);
  if (context.empty()) context = Take(attributes, "context");
  const std::string filename = Take(attributes, "filename");
  if (dockerfile.empty() && !filename.empty()) {
    const auto folder = attributes.find("vcs:localdir:dockerfile");
    dockerfile =
        folder == attributes.end()
            ? filename
            : (std::filesystem::path(folder->second) / filename).lexically_normal().string();
  }
  SetUnlessEmpty(out, "Context", Json::String(context));
  SetUnlessEmpty(out, "Dockerfile", Json::String(dockerfile));
  if (attributes.contains("context")) return;
  for (const auto& [attribute, key] :
       {std::pair{"vcs:source", "VCSRepository"}, {"vcs:revision", "VCSRevision"}}) {
    const auto found = attributes.find(attribute);
    if (found != attributes.end()) SetUnlessEmpty(out, key, Json::String(found->second));
  }
}

Json PlatformsIn(const std::string& list) {
  Json platforms = Json::Array();
  for (std::string_view part : Split(list, ',')) {
    const Result<Platform> platform = ParsePlatform(part);
    platforms.Append(Json::String(platform ? FormatPlatform(*platform) : std::string(part)));
  }
  return platforms;
}

bool IsTrue(const std::string& value) {
  return ParseBool(value).value_or(false);
}

Json ConfigOf(Attributes& attributes) {
  Json config = Json::Object();
  for (const Setting& setting : kSettings)
    SetUnlessEmpty(config, setting.key, Json::String(Take(attributes, setting.attribute)));
  const bool several = IsTrue(Take(attributes, "build-arg:BUILDKIT_MULTI_PLATFORM"));
  if (IsTrue(Take(attributes, "multi-platform")) || several) {
    config.Set("MultiPlatform", Json::Bool(true));
  }
  const bool no_cache = attributes.contains("no-cache");
  const std::string filter = Take(attributes, "no-cache");
  if (no_cache && filter.empty()) config.Set("NoCache", Json::Bool(true));
  if (!filter.empty()) config.Set("NoCacheFilter", TextsIn(filter));
  const std::string hosts = Take(attributes, "add-hosts");
  if (!hosts.empty()) config.Set("ExtraHosts", TextsIn(hosts));
  Json rest = Json::Array();
  for (const auto& [name, value] : attributes) {
    const bool elsewhere =
        std::any_of(kElsewhere.begin(), kElsewhere.end(),
                    [&name = name](std::string_view prefix) { return name.starts_with(prefix); });
    if (!elsewhere) rest.Append(Pair(name, value));
  }
  SetUnlessEmpty(config, "RestRaw", std::move(rest));
  return config;
}

std::string StatusOf(const solve::HistoryRecord& record) {
  if (record.cancelled()) return "canceled";
  if (record.failed()) return "failed";
  return record.running() ? "running" : "completed";
}

void SetProgress(const solve::HistoryRecord& record, Json& out) {
  out.Set("StartedAt", Json::String(TimeText(record.created, true)));
  if (!record.running()) out.Set("CompletedAt", Json::String(TimeText(record.completed, true)));
  const solve::Moment end = record.running() ? Now() : record.completed;
  out.Set("Duration", Json::Number(Between(record.created, end)));
  out.Set("Status", Json::String(StatusOf(record)));
  if (record.failed()) {
    Json error = Json::Object();
    error.Set("Code", Json::Number(record.error_code));
    error.Set("Message", Json::String(record.error));
    out.Set("Error", std::move(error));
  }
  out.Set("NumCompletedSteps", Json::Number(record.completed_steps));
  out.Set("NumTotalSteps", Json::Number(record.total_steps));
  out.Set("NumCachedSteps", Json::Number(record.cached_steps));
}

Json AttachmentsOf(const solve::HistoryRecord& record) {
  std::vector<solve::Attachment> sorted = record.attachments;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& one, const auto& other) {
    return std::tie(one.platform, one.type) < std::tie(other.platform, other.type);
  });
  Json list = Json::Array();
  for (const solve::Attachment& one : sorted) {
    Json attachment = Json::Object();
    SetUnlessEmpty(attachment, "Digest", Json::String(one.digest));
    SetUnlessEmpty(attachment, "Platform", Json::String(one.platform));
    SetUnlessEmpty(attachment, "Type", Json::String(one.type));
    list.Append(std::move(attachment));
  }
  return list;
}

/// What the build was made from, as far as its record has provenance.
Json MaterialsOf(const KeptRecord& kept, const Cancel& cancel) {
  Json list = Json::Array();
  const auto values =
      deliver::ReadProvenance(*kept.keeper, kept.record.ref, deliver::ProvenanceMode::kMax, cancel);
  if (!values || values->empty()) return list;
  const std::optional<std::string> text = FromBase64(values->begin()->second);
  const Result<Json> predicate = Json::Parse(text.value_or(""));
  if (!predicate) return list;
  const Json materials = (*predicate)["materials"];
  for (std::size_t i = 0; i < materials.size(); ++i) {
    Json digests = Json::Array();
    const Json digest = materials[i]["digest"];
    for (const std::string& algorithm : digest.Keys())
      digests.Append(Json::String(Cat(algorithm, ':', digest[algorithm].AsString())));
    Json material = Json::Object();
    SetUnlessEmpty(material, "URI", materials[i]["uri"]);
    SetUnlessEmpty(material, "Digests", std::move(digests));
    list.Append(std::move(material));
  }
  return list;
}

/// All that is shown, under docker buildx's keys.
Json Details(const KeptRecord& kept, const Cancel& cancel) {
  Attributes attributes = kept.record.attributes;
  attributes.erase("frontend.caps");
  Json out = Json::Object();
  SetUnlessEmpty(out, "Name", Json::String(NameOfBuild(kept)));
  out.Set("Ref", Json::String(kept.record.ref));
  SetSources(kept, attributes, out);
  SetUnlessEmpty(out, "Target", Json::String(Take(attributes, "target")));
  const std::string platforms = Take(attributes, "platform");
  if (!platforms.empty()) out.Set("Platform", PlatformsIn(platforms));
  if (IsTrue(Take(attributes, "build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR"))) {
    out.Set("KeepGitDir", Json::Bool(true));
  }
  SetUnlessEmpty(out, "NamedContexts", PairsBehind(attributes, "context:"));
  SetProgress(kept.record, out);
  SetUnlessEmpty(out, "BuildArgs", PairsBehind(attributes, "build-arg:"));
  SetUnlessEmpty(out, "Labels", PairsBehind(attributes, "label:"));
  out.Set("Config", ConfigOf(attributes));
  SetUnlessEmpty(out, "Materials", MaterialsOf(kept, cancel));
  SetUnlessEmpty(out, "Attachments", AttachmentsOf(kept.record));
  return out;
}

std::string Shown(const Json& value) {
  return Printable(value.AsString());
}

std::string Joined(const Json& list) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < list.size(); ++i)
    texts.push_back(Shown(list[i]));
  return Join(texts, ", ");
}

void AddLine(std::string& text, std::string_view heading, const std::string& value) {
  if (!value.empty()) text += Cat(heading, ":\t", value, '\n');
}

/// Ends a part with an empty line.
std::string Part(const std::string& text) {
  return Cat(AlignTabs(text, kDetailColumns), '\n');
}

std::string PairsPart(std::string_view heading, const Json& pairs) {
  if (pairs.size() == 0) return "";
  std::string text = Cat(heading, "\tVALUE\n");
  for (std::size_t i = 0; i < pairs.size(); ++i)
    text += Cat(Shown(pairs[i]["Name"]), '\t', Shown(pairs[i]["Value"]), '\n');
  return Part(text);
}

std::string SourcesPart(const Json& details, bool with_ref) {
  std::string text;
  AddLine(text, "Name", Shown(details["Name"]));
  if (with_ref) AddLine(text, "Ref", Shown(details["Ref"]));
  for (const auto& [key, heading] : {std::pair{"Context", "Context"},
                                     {"Dockerfile", "Dockerfile"},
                                     {"VCSRepository", "VCS Repository"},
                                     {"VCSRevision", "VCS Revision"},
                                     {"Target", "Target"}}) {
    AddLine(text, heading, Shown(details[key]));
  }
  AddLine(text, "Platforms", Joined(details["Platform"]));
  if (details["KeepGitDir"].AsBool()) AddLine(text, "Keep Git Dir", "true");
  return Part(text);
}

std::string StatePart(const solve::HistoryRecord& record, const Json& details) {
  std::string started = TimeText({record.created.seconds, 0}, true).substr(0, 19);
  std::replace(started.begin(), started.end(), 'T', ' ');
  const std::string status = details["Status"].AsString();
  std::string text;
  AddLine(text, "Started", started);
  AddLine(text, "Duration",
          Cat(SpanText(details["Duration"].AsInt()), status == "running" ? " (running)" : ""));
  if (status == "failed") {
    AddLine(text, "Error", Cat(NameOfCode(record.error_code), ' ', Printable(record.error)));
  }
  if (status == "canceled") AddLine(text, "Status", "Canceled");
  const std::int64_t total = std::max(record.total_steps, 1);
  AddLine(text, "Build Steps",
          Cat(record.completed_steps, '/', record.total_steps, " (",
              (std::int64_t{record.cached_steps} * 100 + total / 2) / total, "% cached)"));
  return Part(text);
}

std::string ConfigPart(const Json& config) {
  std::string text;
  for (const Setting& setting : kSettings)
    AddLine(text, setting.heading, Shown(config[setting.key]));
  AddLine(text, "Extra Hosts", Joined(config["ExtraHosts"]));
  if (config["MultiPlatform"].AsBool()) AddLine(text, "Multi-Platform", "true");
  if (config["NoCache"].AsBool()) AddLine(text, "No Cache", "true");
  AddLine(text, "No Cache Filter", Joined(config["NoCacheFilter"]));
  const Json rest = config["RestRaw"];
  for (std::size_t i = 0; i < rest.size(); ++i)
    AddLine(text, Shown(rest[i]["Name"]), Shown(rest[i]["Value"]));
  return Part(text);
}

std::string MaterialsPart(const Json& materials) {
  if (materials.size() == 0) return "";
  std::string text = "URI\tDIGEST\n";
  for (std::size_t i = 0; i < materials.size(); ++i)
    text += Cat(Shown(materials[i]["URI"]), '\t', Joined(materials[i]["Digests"]), '\n');
  return Cat("Materials:\n", Part(text));
}

std::string AttachmentsPart(const Json& attachments) {
  if (attachments.size() == 0) return "";
  std::string text = "DIGEST\tPLATFORM\tTYPE\n";
  for (std::size_t i = 0; i < attachments.size(); ++i) {
    const Json one = attachments[i];
    text += Cat(Shown(one["Digest"]), '\t', Shown(one["Platform"]), '\t', Shown(one["Type"]), '\n');
  }
  return Cat("Attachments:\n", Part(text));
}

std::string Pretty(const KeptRecord& kept,
                   const Json& details,
                   bool with_ref,
                   std::string_view program) {
  return Cat(SourcesPart(details, with_ref), PairsPart("NAMED CONTEXT", details["NamedContexts"]),
             StatePart(kept.record, details), ConfigPart(details["Config"]),
             PairsPart("BUILD ARG", details["BuildArgs"]), PairsPart("LABEL", details["Labels"]),
             MaterialsPart(details["Materials"]), AttachmentsPart(details["Attachments"]),
             "Print build logs: ", program, " history logs ", Printable(kept.record.ref), '\n');
}

Result<std::string> InspectText(const KeptRecord& kept,
                                const std::string& format,
                                bool with_ref,
                                const Call& call) {
  const Json details = Details(kept, call.cancel);
  TRY(call.cancel.Check());
  if (format == "pretty") return Pretty(kept, details, with_ref, call.program);
  if (format == "json") return Cat(details.Dump(2), '\n');
  TRY_ASSIGN(const GoTemplate filled, GoTemplate::Parse(format));
  TRY_ASSIGN(const std::string text,
             filled.Run(details, [](const Json& json) { return json.Dump(); }));
  return Cat(text, '\n');
}

}  // namespace

Result<> RunHistoryInspect(const Call& call) {
  std::string builder;
  std::string format = "pretty";
  std::string ref;
  TRY_ASSIGN(
      const bool runs,
      ReadCommandLine({.words = "history inspect",
                       .description = "Show what is known of a build",
                       .flags = {BuilderFlag(builder),
                                 {"format", 0, flags::FlagKind::kText, "string",
                                  "\"pretty\", \"json\" or a Go template (default \"pretty\")",
                                  flags::Into(format)}},
                       .argument = "[REF]",
                       .target = &ref},
                      call));
  if (!runs) return {};
  HistoryDesk desk(call);
  TRY_ASSIGN(BuildHistory history, desk.Open(builder, call));
  TRY_ASSIGN(const KeptRecord kept, history.Find(ref, call.cancel));
  TRY_ASSIGN(const std::string text, InspectText(kept, format, ref.empty(), call));
  return call.terminal.WriteResult(text, call.cancel);
}

}  // namespace depot::command
