#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/session/diffcopy_send.h"
#include "driver/session/refusals.h"
#include "driver/session/services.h"
#include "driver/session/stream_metadata.h"

namespace depot::session {
namespace {

using Trees = std::map<std::string, std::unique_ptr<files::FileTree>>;

class FileSync {
 public:
  FileSync(const Trees& trees, Faults& faults, EventSink& sink)
      : trees_(trees), faults_(faults), refusals_(sink) {}

  Result<> DiffCopy(rpc::ServerCall& call, const Cancel& cancel) {
    const rpc::Metadata& metadata = call.metadata();
    TRY_ASSIGN(std::vector<std::string> names, DecodedValues(metadata, "dir-name"));
    if (names.size() != 1) {
      return Fail(ErrorCode::kInvalid, "a file sync call must name one directory");
    }
    const std::string& name = names.front();
    auto tree = trees_.find(name);
    if (tree == trees_.end()) {
      refusals_.Say(
          Cat("refused directory \"", name, "\" to the builder: it is not part of this build"));
      return Fail(ErrorCode::kNotFound, Cat("no access allowed to dir \"", Printable(name), '"'));
    }
    files::TreeFilter filter;
    TRY_ASSIGN(filter.include, DecodedValues(metadata, "include-patterns"));
    TRY_ASSIGN(filter.exclude, DecodedValues(metadata, "exclude-patterns"));
    TRY_ASSIGN(filter.follow, DecodedValues(metadata, "followpaths"));
    return SendTree(call, *tree->second, filter, faults_, cancel);
  }

 private:
  const Trees& trees_;
  Faults& faults_;
  Refusals refusals_;
};

}  // namespace

void AddFileSync(rpc::ServiceTable& table, const Trees& trees, Faults& faults, EventSink& sink) {
  auto service = std::make_shared<FileSync>(trees, faults, sink);
  table.Add("/moby.filesync.v1.FileSync/DiffCopy",
            [service](rpc::ServerCall& call, const Cancel& cancel) {
              Result<> sent = service->DiffCopy(call, cancel);
              return sent ? rpc::Status{} : rpc::ToStatus(sent.error());
            });
}

}  // namespace depot::session
