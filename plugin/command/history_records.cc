#include "plugin/command/history_records.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instances.h"
#include "driver/disk/read_file.h"
#include "plugin/command/figures_text.h"
#include "plugin/plan/git_url.h"

namespace depot::command {
namespace {

constexpr std::int64_t kNanos = 1'000'000'000;

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos;
}

LocalState ReadLocalState(const std::string& folder, const KeptRecord& kept) {
  for (const std::string& part : {kept.builder, kept.node, kept.record.ref})
    if (!IsPlainName(part)) return {};
  auto text = disk::ReadFileIfThere(Cat(folder, "/refs/", kept.full_ref()));
  if (!text || !*text) return {};
  const Result<Json> state = Json::Parse(**text);
  if (!state) return {};
  return {(*state)["LocalPath"].AsString(), (*state)["DockerfilePath"].AsString()};
}

/// The last part of a ref.
std::string ShortRef(const std::string& ref) {
  return ref.substr(ref.rfind('/') + 1);
}

bool IsNewer(const KeptRecord& one, const KeptRecord& other) {
  return Between(other.record.created, one.record.created) > 0;
}

/// The last component, or with `with_folder` the last two.
std::string LastPart(const std::string& path, bool with_folder) {
  const std::filesystem::path whole(path);
  const std::string name = whole.filename().string();
  const std::string folder = whole.parent_path().filename().string();
  return with_folder && !folder.empty() ? Cat(folder, '/', name) : name;
}

/// By where the Dockerfile and the context are on this machine.
std::string LocalName(const KeptRecord& kept) {
  constexpr std::string_view kUsual = "/Dockerfile";
  const std::string said = kept.record.Attribute("filename");
  std::string dockerfile = said == "Dockerfile" ? "" : said;
  const std::string folder = kept.record.Attribute("vcs:localdir:dockerfile");
  if (!folder.empty() && folder != ".") {
    dockerfile = (std::filesystem::path(folder) / dockerfile).lexically_normal().string();
  }
  std::string context;
  if (!plan::IsRemoteContext(kept.local.context)) {
    const LocalState& local = kept.local;
    if (local.context != "-") context = local.context;
    if (!local.dockerfile.empty() && local.dockerfile != "-" && local.dockerfile != "Dockerfile") {
      dockerfile = local.dockerfile;
    }
  }
  const bool usual = dockerfile.empty() || dockerfile.ends_with(kUsual);
  if (dockerfile.ends_with(kUsual)) dockerfile.resize(dockerfile.size() - kUsual.size());
  if (dockerfile.size() > context.size() && dockerfile.starts_with(context)) {
    return dockerfile.substr(context.rfind('/') + 1);
  }
  const std::string& path = dockerfile.empty() ? context : dockerfile;
  return path.empty() ? "" : LastPart(path, !usual);
}

}  // namespace

std::string KeptRecord::full_ref() const {
  return Cat(builder, '/', node, '/', record.ref);
}

Result<BuildHistory> BuildHistory::Open(const std::string& builder,
                                        job::Workshop& workshop,
                                        EventSink& sink,
                                        const Call& call) {
  TRY_ASSIGN(std::vector<LeasedBuilder> machines, LeaseBuilders(builder, workshop, sink, call));
  if (machines.empty()) {
    return Fail(Error(ErrorCode::kUnsupported,
                      "history: the Depot API gives out its builders to builds alone")
                    .WithHint("`docker depot list builds` shows a project's builds"));
  }
  return BuildHistory(
      std::move(machines),
      builder::BuildxFolder(call.environment, workshop.docker().credentials.config.directory));
}

Result<std::vector<KeptRecord>> BuildHistory::Ask(const std::string& ref, const Cancel& cancel) {
  std::vector<KeptRecord> all;
  for (LeasedBuilder& machine : machines_) {
    TRY_ASSIGN(auto records, solve::ListHistory(*machine.builder, ref, cancel));
    const bool named = !machine.buildx_builder.empty();
    for (solve::HistoryRecord& record : records) {
      KeptRecord kept{std::move(record),
                      named ? machine.buildx_builder : "depot",
                      named ? machine.buildx_node : "depot0",
                      machine.builder.get(),
                      {}};
      kept.local = ReadLocalState(folder_, kept);
      all.push_back(std::move(kept));
    }
  }
  std::stable_sort(all.begin(), all.end(), IsNewer);
  return all;
}

Result<std::vector<KeptRecord>> BuildHistory::All(const std::vector<RecordMatch>& matches,
                                                  const Cancel& cancel) {
  TRY_ASSIGN(std::vector<KeptRecord> all, Ask("", cancel));
  std::erase_if(all, [&](const KeptRecord& kept) {
    return !std::all_of(matches.begin(), matches.end(),
                        [&](const RecordMatch& match) { return match(kept.record); });
  });
  return all;
}

Result<KeptRecord> BuildHistory::Find(const std::string& ref, const Cancel& cancel) {
  std::size_t skipped = 0;
  if (ref.starts_with('^')) {
    const auto offset = ParseDecimal(std::string_view(ref).substr(1));
    if (!offset) return Fail(ErrorCode::kUsage, Cat("invalid offset \"", Printable(ref), '"'));
    skipped = *offset;
  }
  const bool counted = ref.empty() || ref.starts_with('^');
  TRY_ASSIGN(std::vector<KeptRecord> found, Ask(counted ? "" : ShortRef(ref), cancel));
  if (skipped < found.size()) return std::move(found[skipped]);
  if (ref.empty()) return Fail(ErrorCode::kNotFound, "no records found");
  if (counted) {
    return Fail(ErrorCode::kNotFound,
                Cat("no completed build found with offset ", skipped - found.size()));
  }
  return Fail(Error(ErrorCode::kNotFound, Cat("no record found for ref \"", Printable(ref), '"'))
                  .WithHint("`docker depot history ls` shows the builder's records"));
}

std::string NameOfBuild(const KeptRecord& kept) {
  std::string name = kept.record.Attribute("build-arg:BUILDKIT_BUILD_NAME");
  if (!name.empty()) return name;
  name = LocalName(kept);
  const std::string folder = kept.record.Attribute("vcs:localdir:context");
  const std::string context = kept.record.Attribute("context");
  if (!context.empty()) {
    name = context;
  } else if (!folder.empty() && folder != ".") {
    name = folder;
  }
  const std::string target = kept.record.Attribute("target");
  if (!target.empty()) name = name.empty() ? target : Cat(name, " (", target, ')');
  return name.empty() ? SourceRepository(kept.record) : name;
}

std::string TimeText(const solve::Moment& moment, bool local) {
  const std::time_t time = moment.seconds;
  std::tm parts{};
  if ((local ? ::localtime_r(&time, &parts) : ::gmtime_r(&time, &parts)) == nullptr) return "";
  char text[64];
  std::string shown(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts));
  shown += FractionText(moment.nanos);
  const long offset = local ? parts.tm_gmtoff : 0;
  if (offset == 0) return shown + 'Z';
  std::snprintf(text, sizeof text, "%c%02ld:%02ld", offset < 0 ? '-' : '+',
                std::labs(offset) / 3600, std::labs(offset) / 60 % 60);
  return shown + text;
}

std::int64_t Between(const solve::Moment& begin, const solve::Moment& end) {
  return (end.seconds - begin.seconds) * kNanos + end.nanos - begin.nanos;
}

std::string SpanText(std::int64_t nanoseconds) {
  const std::int64_t seconds = nanoseconds / kNanos;
  char text[64];
  if (seconds < 60) {
    std::snprintf(text, sizeof text, "%.1fs",
                  static_cast<double>(nanoseconds) / static_cast<double>(kNanos));
  } else {
    std::snprintf(text, sizeof text, "%lldm %2llds", static_cast<long long>(seconds / 60),
                  static_cast<long long>(seconds % 60));
  }
  return text;
}

solve::Moment Now() {
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  return {now / kNanos, static_cast<std::int32_t>(now % kNanos)};
}

}  // namespace depot::command
