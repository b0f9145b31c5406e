#include "plugin/job/caches.h"

#include <cstdio>

#include "driver/base/hints.h"
#include "driver/base/random.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/solve/resume.h"

namespace depot::job {
namespace {

/// Passes on what the solve of a cache tells of the cache: everything else was told before.
class CacheSink final : public EventSink {
 public:
  explicit CacheSink(EventSink& sink) : sink_(sink) {}

  void Emit(Event event) override {
    if (Tells(event)) sink_.Emit(std::move(event));
  }

 private:
  bool Tells(const Event& event) {
    if (const auto* vertex = std::get_if<Vertex>(&event)) {
      const bool cache = vertex->name.starts_with("exporting cache") ||
                         vertex->name.starts_with("preparing build cache");
      if (cache) told_.insert(vertex->digest);
      return cache;
    }
    if (const auto* status = std::get_if<VertexStatus>(&event)) {
      return told_.contains(status->vertex);
    }
    if (const auto* log = std::get_if<VertexLog>(&event)) return told_.contains(log->vertex);
    return std::holds_alternative<Notice>(event);
  }

  EventSink& sink_;
  std::set<std::string> told_;  // digests; the solve's own thread alone comes here
};

std::string Seconds(Cancel::Clock::duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

std::string WhyNot(const Error& error) {
  if (error.code() == ErrorCode::kNotFound) return "is not there (yet)";
  return Cat("cannot be used (", error.message(), ")");
}

/// The names under which the builders write it.
std::string Names(const solve::CacheEntry& target, const std::vector<PlatformBuild>& parts) {
  if (parts.size() == 1) return plan::ShownCache(target);
  std::vector<std::string> names;
  for (const PlatformBuild& part : parts)
    names.push_back(plan::ShownCache(plan::CacheOfPlatform(target, part.share.platforms.front())));
  return Join(names, ", ");
}

Error Told(const Error& error, const plan::CacheTarget& target, const std::string& time) {
  // It has not.
  constexpr std::string_view kBuildFailed = "build failed: ";
  std::string_view why = error.message();
  if (why.starts_with(kBuildFailed)) why.remove_prefix(kBuildFailed.size());
  return Error(error.code(), Cat("the build is done, but its cache could not be written to ",
                                 plan::ShownCache(target.entry), " (", time, "): ", why))
      .WithHint(JoinHints(error.hint(), "with ignore-error=true in --cache-to this is a warning"))
      .At(error.at());
}

}  // namespace

Result<> Caches::Prepare(const options::BuildOptions& options,
                         const Environment& environment,
                         RetryLimits retries) {
  retries_ = retries;
  planned_ = plan::PlanCaches(options, environment);
  TRY_ASSIGN(time_, plan::CacheTime(environment));
  return folders_.Open(planned_);
}

std::vector<Reference> Caches::PushTargets() const {
  std::vector<Reference> targets;
  for (const plan::CacheTarget& target : planned_.targets) {
    if (auto reference = plan::CacheReference(target.entry)) targets.push_back(*reference);
  }
  return targets;
}

std::set<std::string> Caches::InsecureRegistries() const {
  std::set<std::string> insecure;
  auto add = [&](const solve::CacheEntry& entry) {
    auto said = entry.attrs.find("registry.insecure");
    auto reference = plan::CacheReference(entry);
    const bool on = said != entry.attrs.end() && ParseBool(said->second).value_or(false);
    if (on && reference) insecure.insert(LowerAscii(reference->domain));
  };
  for (const solve::CacheEntry& source : planned_.sources)
    add(source);
  for (const plan::CacheTarget& target : planned_.targets)
    add(target.entry);
  return insecure;
}

void Caches::Ask(CacheSources& sources, const std::vector<Platform>& platforms) const {
  std::vector<solve::CacheEntry> all = planned_.sources;
  for (const solve::CacheEntry& source : planned_.sources) {
    if (platforms.size() < 2) break;
    for (const Platform& platform : platforms)
      all.push_back(plan::CacheOfPlatform(source, platform));
  }
  sources.Start(all);
}

/// The platform's own cache and the common one. What is missing of the two matters only when both
/// are.
std::vector<solve::CacheEntry> Caches::Usable(const PlatformBuild& part,
                                              bool several,
                                              std::map<std::string, std::string>& useless) const {
  std::vector<solve::CacheEntry> usable;
  for (const solve::CacheEntry& source : planned_.sources) {
    std::vector<solve::CacheEntry> names;
    const bool own = (several || source.type == "local") && !part.share.platforms.empty();
    if (own) names.push_back(plan::CacheOfPlatform(source, part.share.platforms.front()));
    names.push_back(source);
    bool found = false;
    std::string why;
    for (const solve::CacheEntry& name : names) {
      const auto known = useless_.find(plan::ShownCache(name));
      if (known != useless_.end()) {
        why = known->second;
        continue;
      }
      Result<solve::CacheEntry> resolved = name;
      if (name.type == "local") resolved = folders_.Resolve(name);
      if (!resolved) why = WhyNot(resolved.error());
      if (!resolved) continue;
      found = true;
      usable.push_back(*std::move(resolved));
      if (name.type == "local") break;
    }
    if (!found) useless.emplace(plan::ShownCache(source), why);
  }
  return usable;
}

Result<> Caches::AddTo(std::vector<PlatformBuild>& parts, CacheSources& sources, EventSink& sink) {
  useless_ = sources.Await();
  std::map<std::string, std::string> useless;
  for (PlatformBuild& part : parts) {
    TRY(plan::CheckCaches(planned_, part.builder->features()));
    part.plan.request.cache_imports = Usable(part, parts.size() > 1, useless);
    if (planned_.in_image) part.plan.request.cache_exports.push_back({"inline", {}});
  }
  for (const auto& [shown, why] : useless)
    sink.Say(Cat("the cache in ", shown, " ", why, ": building without it"));
  return {};
}

std::optional<Error> Caches::Write(std::vector<PlatformBuild>& parts,
                                   Services& services,
                                   EventSink& sink,
                                   const Cancel& cancel) {
  std::optional<Error> failure;
  for (const plan::CacheTarget& target : planned_.targets) {
    const auto begin = Cancel::Clock::now();
    Result<> written = WriteOne(target, parts, services, cancel);
    if (cancel.cancelled()) return cancel.error();
    const std::string time = Seconds(Cancel::Clock::now() - begin);
    if (written) {
      sink.Say(Cat("wrote the cache to ", Names(target.entry, parts), " in ", time));
      continue;
    }
    Error told = Told(written.error(), target, time);
    const bool first = !target.ignore_error && !failure;
    if (!first) sink.Say(Cat("WARNING: ", told.message()));
    if (first) failure = std::move(told);
  }
  return failure;
}

Result<> Caches::WriteOne(const plan::CacheTarget& target,
                          std::vector<PlatformBuild>& parts,
                          Services& services,
                          const Cancel& cancel) {
  TRY(folders_.CheckTarget(target.entry));
  const Cancel bounded = cancel.WithTimeout(
      time_, Cat("it takes longer than ", time_.count(), " s (DEPOT_CACHE_TIMEOUT)"));
  if (parts.size() == 1) return Solve(parts.front(), target.entry, services, bounded);
  TaskGroup group(bounded);
  std::vector<Result<>> written(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    // The one's failure is not the other's.
    group.Start("cache", [&, i](const Cancel& stop) -> Result<> {
      const auto own = plan::CacheOfPlatform(target.entry, parts[i].share.platforms.front());
      written[i] = Solve(parts[i], own, services, stop);
      return {};
    });
  }
  TRY(group.Wait());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (written[i]) continue;
    return Fail(
        std::move(written[i]).error().While(FormatPlatform(parts[i].share.platforms.front())));
  }
  return {};
}

Result<> Caches::Solve(PlatformBuild& part,
                       const solve::CacheEntry& target,
                       Services& services,
                       const Cancel& cancel) {
  rpc::ServiceTable table;
  session::Faults faults;
  const std::string upload_url = services.AddTo(table, faults, folders_.OfferedFor(target));
  solve::BuildRequest request = plan::CacheRequest(part.plan.request, folders_.ForBuilder(target));
  if (!upload_url.empty()) request.frontend_attrs["context"] = upload_url;
  CacheSink sink(*part.sink);
  TRY(part.builder->Reconnect(cancel));
  const solve::Solving solving{
      part.builder, &request, RandomId(),
      &table,       &faults,  &sink,
      "",           retries_, [&services](const std::string&) { return services.StartOver(); }};
  auto outcome = solve::SolveToEnd(solving, cancel);
  if (auto* failed = std::get_if<solve::Failed>(&outcome)) return Fail(std::move(failed->error));
  if (auto* lost = std::get_if<solve::Lost>(&outcome)) return Fail(std::move(lost->error));
  if (target.type != "local") return {};
  const auto& response = std::get<solve::BuildResult>(outcome).exporter_response;
  auto manifest = response.find("cache.manifest");
  if (manifest == response.end()) {
    return Fail(ErrorCode::kInvalid, "the builder does not say what it has written");
  }
  return folders_.Write(target, manifest->second, cancel);
}

}  // namespace depot::job
