#include "driver/solve/dated_context.h"

#include <algorithm>
#include <optional>
#include <set>

#include "proto/gateway.pb.h"

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/solve/definition_writer.h"

namespace depot::solve {
namespace {

namespace gateway = moby::buildkit::v1::frontend;

// Of BuildKit's solver/pb/attr.go.
constexpr const char* kSession = "local.session";
constexpr const char* kFollow = "local.followpaths";
constexpr const char* kExclude = "local.excludepatterns";
constexpr const char* kKeyHint = "local.sharedkeyhint";

using SourceAttributes = std::map<std::string, std::string>;

/// One for each way in which the result asks for a local source.
using LocalSources = std::map<std::string, std::set<SourceAttributes>>;

Error MalformedResult() {
  return {ErrorCode::kInvalid, "the builder's frontend result is malformed"};
}

Result<> AddLocalSources(const pb::Definition& definition, LocalSources& into) {
  constexpr std::string_view kLocal = "local://";
  for (const std::string& bytes : definition.def()) {
    pb::Op op;
    if (!op.ParseFromString(bytes)) return Fail(MalformedResult());
    const std::string& identifier = op.source().identifier();
    if (!identifier.starts_with(kLocal)) continue;
    const auto& attrs = op.source().attrs();
    into[identifier.substr(kLocal.size())].insert({attrs.begin(), attrs.end()});
  }
  return {};
}

Result<LocalSources> LocalSourcesOf(const std::string& result) {
  gateway::GatewayResult parsed;
  if (!parsed.ParseFromString(result)) return Fail(MalformedResult());
  LocalSources sources;
  TRY(AddLocalSources(parsed.ref().def(), sources));
  for (const auto& [platform, ref] : parsed.refs().refs())
    TRY(AddLocalSources(ref.def(), sources));
  return sources;
}

/// nullopt: it is no JSON list of texts.
std::optional<std::vector<std::string>> ReadPatterns(const SourceAttributes& attrs,
                                                     const char* key) {
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

/// One source that has what all of `ways` ask for (platforms may copy different files); nullopt
/// when they differ in more than the paths that are followed.
std::optional<SourceAttributes> Joined(const std::set<SourceAttributes>& ways) {
  SourceAttributes joined = *ways.begin();
  std::set<std::string> follow;
  bool everything = false;
  for (SourceAttributes way : ways) {
    const auto paths = ReadPatterns(way, kFollow);
    if (!paths) return std::nullopt;
    everything |= paths->empty();
    follow.insert(paths->begin(), paths->end());
    way[kFollow] = joined[kFollow];
    if (way != joined) return std::nullopt;
  }
  if (everything) {
    joined.erase(kFollow);
  } else if (ways.size() > 1) {
    joined[kFollow] = WritePatterns({follow.begin(), follow.end()});
  }
  return joined;
}

/// What the session is to send with content times, and what the builder keeps that under: a copy
/// that is shared with another filter, or with file times, would be emptied and filled in turns.
bool Mark(const DatedContext& context, SourceAttributes& attrs) {
  auto exclude = ReadPatterns(attrs, kExclude);
  if (!exclude || !attrs.contains(kSession)) return false;
  std::string asked;
  for (const auto& [key, value] : attrs) {
    if (key != kSession) asked += Cat(key, '\n', value, '\n');
  }
  exclude->push_back(context.mark);
  attrs[kExclude] = WritePatterns(*exclude);
  attrs[kKeyHint] += Cat(':', context.key, ':', Sha256Hex(asked).substr(0, 16));
  return true;
}

std::string DatedCopy(const DatedContext& context, const SourceAttributes& attrs) {
  const bool main = context.attribute.empty();
  DefinitionWriter writer;
  pb::Op source;
  source.mutable_source()->set_identifier(Cat("local://", context.local));
  source.mutable_source()->mutable_attrs()->insert(attrs.begin(), attrs.end());
  const std::string read =
      writer.Add(source, main ? "[internal] load build context"
                              : Cat("[context ", context.input, "] load from client"));
  pb::Op copy;
  copy.add_inputs()->set_digest(read);
  pb::FileAction* action = copy.mutable_file()->add_actions();
  action->set_input(-1);
  action->set_secondary_input(0);
  action->set_output(0);
  action->mutable_copy()->set_src("/");
  action->mutable_copy()->set_dest("/");
  action->mutable_copy()->set_mode(-1);
  action->mutable_copy()->set_dir_copy_contents(true);
  action->mutable_copy()->set_create_dest_path(true);
  action->mutable_copy()->set_timestamp(context.time_ns);
  const std::string copied =
      writer.Add(copy, main ? "[internal] set the time of the build context"
                            : Cat("[context ", context.input, "] set the time"));
  return writer.Finish(copied);
}

}  // namespace

Result<DatedInputs> MakeDatedInputs(const std::string& result,
                                    const std::vector<DatedContext>& contexts) {
  TRY_ASSIGN(const LocalSources sources, LocalSourcesOf(result));
  DatedInputs dated;
  for (const DatedContext& context : contexts) {
    auto ways = sources.find(context.local);
    if (ways == sources.end()) continue;
    auto attrs = Joined(ways->second);
    if (!attrs || !Mark(context, *attrs)) {
      dated.reason = Cat("the frontend asks for ", Printable(context.local), " in its own way");
      continue;
    }
    dated.inputs[context.input] = DatedCopy(context, *attrs);
    dated.names.push_back(context.input);
  }
  return dated;
}

Result<std::string> OperationsOf(const std::string& result) {
  gateway::GatewayResult parsed;
  if (!parsed.ParseFromString(result)) return Fail(MalformedResult());
  std::string all;
  for (const std::string& operation : parsed.ref().def().def())
    all += DigestOf(operation);
  std::map<std::string, const gateway::Ref*> platforms;
  for (const auto& [platform, ref] : parsed.refs().refs())
    platforms[platform] = &ref;
  for (const auto& [platform, ref] : platforms)
    for (const std::string& operation : ref->def().def())
      all += DigestOf(operation);
  return all;
}

Result<bool> AsksItself(const std::string& result, const std::vector<DatedContext>& contexts) {
  TRY_ASSIGN(const LocalSources sources, LocalSourcesOf(result));
  return std::any_of(contexts.begin(), contexts.end(), [&](const DatedContext& context) {
    auto ways = sources.find(context.local);
    if (ways == sources.end()) return false;
    return std::any_of(ways->second.begin(), ways->second.end(), [&](const SourceAttributes& way) {
      const auto exclude = ReadPatterns(way, kExclude);
      return !exclude ||
             std::find(exclude->begin(), exclude->end(), context.mark) == exclude->end();
    });
  });
}

}  // namespace depot::solve
