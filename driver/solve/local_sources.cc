#include "driver/solve/local_sources.h"

#include "proto/gateway.pb.h"

#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/solve/gateway_result.h"

namespace depot::solve {
namespace {

namespace gateway = moby::buildkit::v1::frontend;

/// Operations as they are on the wire.
using Operations = std::set<std::string>;

Result<> AddLocalSources(const pb::Definition& definition,
                         const Operations& without,
                         LocalSources& into) {
  constexpr std::string_view kLocal = "local://";
  for (const std::string& bytes : definition.def()) {
    if (without.contains(bytes)) continue;
    pb::Op op;
    if (!op.ParseFromString(bytes)) return Fail(MalformedResult());
    const std::string& identifier = op.source().identifier();
    if (!identifier.starts_with(kLocal)) continue;
    const auto& attrs = op.source().attrs();
    into[identifier.substr(kLocal.size())].insert({attrs.begin(), attrs.end()});
  }
  return {};
}

}  // namespace

Result<LocalSources> LocalSourcesOf(const std::string& result,
                                    const std::map<std::string, std::string>& inputs) {
  Operations known;
  for (const auto& [name, bytes] : inputs) {
    pb::Definition definition;
    if (!definition.ParseFromString(bytes)) return Fail(MalformedResult());
    known.insert(definition.def().begin(), definition.def().end());
  }
  TRY_ASSIGN(const gateway::GatewayResult parsed, ReadGatewayResult(result));
  LocalSources sources;
  TRY(AddLocalSources(parsed.ref().def(), known, sources));
  for (const auto& [platform, ref] : parsed.refs().refs())
    TRY(AddLocalSources(ref.def(), known, sources));
  return sources;
}

std::optional<std::vector<std::string>> ReadPatterns(const SourceAttributes& attrs,
                                                     const std::string& key) {
  std::vector<std::string> list;
  auto found = attrs.find(key);
  if (found == attrs.end() || found->second.empty()) return list;
  Result<Json> parsed = Json::Parse(found->second);
  if (!parsed || !parsed->is_array()) return std::nullopt;
  for (std::size_t i = 0; i < parsed->size(); ++i) {
    if (!(*parsed)[i].is_string()) return std::nullopt;
    list.push_back((*parsed)[i].AsString());
  }
  return list;
}

std::string WritePatterns(const std::vector<std::string>& patterns) {
  Json list = Json::Array();
  for (const std::string& pattern : patterns)
    list.Append(Json::String(pattern));
  return list.Dump();
}

std::optional<SourceAttributes> Joined(const std::set<SourceAttributes>& ways) {
  SourceAttributes joined = *ways.begin();
  std::set<std::string> follow;
  bool everything = false;
  for (SourceAttributes way : ways) {
    const auto paths = ReadPatterns(way, kLocalFollow);
    if (!paths) return std::nullopt;
    everything |= paths->empty();
    follow.insert(paths->begin(), paths->end());
    way[kLocalFollow] = joined[kLocalFollow];
    if (way != joined) return std::nullopt;
  }
  if (everything) {
    joined.erase(kLocalFollow);
  } else if (ways.size() > 1) {
    joined[kLocalFollow] = WritePatterns({follow.begin(), follow.end()});
  }
  return joined;
}

LocalFilters FiltersOf(const LocalSources& sources) {
  LocalFilters filters;
  for (const auto& [name, ways] : sources) {
    const auto attrs = Joined(ways);
    if (!attrs || !attrs->contains(kLocalSession)) continue;
    LocalFilter filter;
    const auto follow = ReadPatterns(*attrs, kLocalFollow).value_or(std::vector<std::string>());
    filter.follow = {follow.begin(), follow.end()};
    for (const auto& [key, value] : *attrs)
      if (key != kLocalFollow) filter.rest += Cat(key, '\n', value, '\n');
    filters[name] = std::move(filter);
  }
  return filters;
}

void Widen(const SharedFilter& shared, SourceAttributes& attrs) {
  attrs.erase(kLocalFollow);
  if (!shared.follow.empty()) {
    attrs[kLocalFollow] = WritePatterns({shared.follow.begin(), shared.follow.end()});
  }
  attrs[kLocalKeyHint] += Cat(':', shared.key);
}

}  // namespace depot::solve
