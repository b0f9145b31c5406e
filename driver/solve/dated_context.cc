#include "driver/solve/dated_context.h"

#include <algorithm>
#include <optional>
#include <set>

#include "proto/gateway.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/solve/definition_writer.h"
#include "driver/solve/gateway_result.h"

namespace depot::solve {
namespace {

namespace gateway = moby::buildkit::v1::frontend;

/// What the session is to send with content times, and what the builder keeps that under: a copy
/// that is shared with another filter, or with file times, would be emptied and filled in turns.
bool Mark(const DatedContext& context, SourceAttributes& attrs) {
  auto exclude = ReadPatterns(attrs, kLocalExclude);
  if (!exclude || !attrs.contains(kLocalSession)) return false;
  std::string asked;
  for (const auto& [key, value] : attrs) {
    if (key != kLocalSession) asked += Cat(key, '\n', value, '\n');
  }
  exclude->push_back(context.mark);
  attrs[kLocalExclude] = WritePatterns(*exclude);
  attrs[kLocalKeyHint] += Cat(':', context.key, ':', Sha256Hex(asked).substr(0, 16));
  return true;
}

/// Gives the digest of the source; `name` is empty for the main context.
std::string AddSource(const std::string& local,
                      const std::string& name,
                      const SourceAttributes& attrs,
                      DefinitionWriter& writer) {
  pb::Op source;
  source.mutable_source()->set_identifier(Cat("local://", local));
  source.mutable_source()->mutable_attrs()->insert(attrs.begin(), attrs.end());
  return writer.Add(source, name.empty() ? "[internal] load build context"
                                         : Cat("[context ", name, "] load from client"));
}

std::string SharedSource(const SharedContext& context, const SourceAttributes& attrs) {
  DefinitionWriter writer;
  return writer.Finish(
      AddSource(context.local, context.attribute.empty() ? "" : context.local, attrs, writer));
}

std::string DatedCopy(const DatedContext& context, const SourceAttributes& attrs) {
  const bool main = context.attribute.empty();
  DefinitionWriter writer;
  const std::string read = AddSource(context.local, main ? "" : context.input, attrs, writer);
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

/// How the source `local` is to be asked for; false: it is not, or in a way that cannot be kept.
bool Asked(const LocalSources& sources,
           const std::string& local,
           const std::vector<SharedContext>& shared,
           SourceAttributes& attrs) {
  auto ways = sources.find(local);
  if (ways == sources.end()) return false;
  auto joined = Joined(ways->second);
  if (!joined) return false;
  attrs = *std::move(joined);
  for (const SharedContext& context : shared)
    if (context.local == local) Widen(context.filter, attrs);
  return true;
}

void Name(const std::string& attribute,
          const std::string& input,
          std::map<std::string, std::string>& attrs) {
  if (!attribute.empty()) attrs[attribute] = Cat("input:", input);
}

}  // namespace

ContextInputs MakeContextInputs(const LocalSources& sources,
                                const std::vector<DatedContext>& dated,
                                const std::vector<SharedContext>& shared) {
  ContextInputs made;
  SourceAttributes attrs;
  for (const DatedContext& context : dated) {
    if (!sources.contains(context.local)) continue;
    if (!Asked(sources, context.local, shared, attrs) || !Mark(context, attrs)) {
      made.reason = Cat("the frontend asks for ", Printable(context.local), " in its own way");
      continue;
    }
    made.inputs[context.input] = DatedCopy(context, attrs);
    made.names.insert(context.input);
    Name(context.attribute, context.input, made.attrs);
  }
  for (const SharedContext& context : shared) {
    if (made.inputs.contains(context.local)) continue;
    if (!Asked(sources, context.local, shared, attrs)) continue;
    made.inputs[context.local] = SharedSource(context, attrs);
    Name(context.attribute, context.local, made.attrs);
  }
  return made;
}

Result<std::string> OperationsOf(const std::string& result) {
  TRY_ASSIGN(const gateway::GatewayResult parsed, ReadGatewayResult(result));
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
      const auto exclude = ReadPatterns(way, kLocalExclude);
      return !exclude ||
             std::find(exclude->begin(), exclude->end(), context.mark) == exclude->end();
    });
  });
}

}  // namespace depot::solve
