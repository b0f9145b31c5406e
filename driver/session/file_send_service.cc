#include <atomic>
#include <set>

#include "driver/base/text.h"
#include "driver/files/tree_writer.h"
#include "driver/session/diffcopy_receive.h"
#include "driver/session/packets.h"
#include "driver/session/refusals.h"
#include "driver/session/services.h"

namespace depot::session {
namespace {

class FileSend {
 public:
  FileSend(std::map<int, ExportTarget>& targets, Faults& faults, EventSink& sink)
      : targets_(targets), faults_(faults), refusals_(sink) {}

  ExportLog& log() { return log_; }

  Result<> DiffCopy(rpc::ServerCall& call, const Cancel& cancel) {
    // Builders older than the exporter id send none (BuildKit session/filesync/filesync.go).
    std::uint64_t id =
        ParseDecimal(call.metadata().Get("buildkit-attachable-exporter-id").value_or("0"))
            .value_or(0);
    auto found = id <= INT32_MAX ? targets_.find(static_cast<int>(id)) : targets_.end();
    if (found == targets_.end()) {
      refusals_.Say(Cat("refused a result from the builder: no output ", id, " in this build"));
      return Fail(ErrorCode::kNotFound, Cat("exporter ", id, " not found"));
    }
    Result<> received;
    if (auto* directory = std::get_if<DirectoryTarget>(&found->second)) {
      received = ReceiveDirectory(call, *directory, cancel);
    } else if (auto* open = std::get_if<TreeTarget>(&found->second)) {
      received = ReceiveTree(call, *(*open)(), faults_, refusals_, held_, cancel);
    } else if (log_.RecordBegin(found->first)) {
      received =
          ReceiveStream(call, *std::get<std::unique_ptr<StreamTarget>>(found->second), cancel);
    } else {
      received =
          Ours(Fail(ErrorCode::kFailed, Cat("the builder sent output ", id, " twice")), cancel);
    }
    if (received) log_.RecordEnd(found->first);
    return received;
  }

 private:
  /// A failure on our side; what merely follows from the end of the session is none.
  Result<> Ours(Result<> result, const Cancel& cancel) {
    if (!result && !cancel.cancelled()) faults_.Record(result.error());
    return result;
  }

  Result<> ReceiveDirectory(rpc::ServerCall& call,
                            const DirectoryTarget& directory,
                            const Cancel& cancel) {
    bool whole = directory.folder.empty();
    auto writer =
        whole ? files::OpenTreeWriter(directory.path, directory.devices)
              : files::OpenSubTreeWriter(directory.path, directory.folder, directory.devices);
    if (!writer) return Ours(Fail(std::move(writer).error()), cancel);
    std::unique_ptr<files::TreeWriter> opened = *std::move(writer);
    if (directory.around) opened = directory.around(std::move(opened));
    return ReceiveTree(call, *opened, faults_, refusals_, held_, cancel);
  }

  Result<> ReceiveStream(rpc::ServerCall& call, StreamTarget& target, const Cancel& cancel) {
    while (true) {
      TRY_ASSIGN(std::optional<std::string> message, call.Read(cancel));
      if (!message) return Ours(target.End(cancel), cancel);
      TRY_ASSIGN(std::string_view data, ParseBytesMessage(*message));
      if (!data.empty()) TRY(Ours(target.Write(data, cancel), cancel));
    }
  }

  std::map<int, ExportTarget>& targets_;
  Faults& faults_;
  Refusals refusals_;
  std::atomic<std::size_t> held_{0};
  ExportLog log_;
};

/// AlreadyExists would tell the builder that we have the result (BuildKit session/filesync).
rpc::Status ToFailure(const Error& error) {
  rpc::Status status = rpc::ToStatus(error);
  if (status.code == rpc::Code::kAlreadyExists) status.code = rpc::Code::kUnknown;
  return status;
}

}  // namespace

bool ExportLog::RecordBegin(int target) {
  std::lock_guard lock(mutex_);
  return begun_.insert(target).second;
}

void ExportLog::StartOver() {
  std::lock_guard lock(mutex_);
  begun_.clear();
  ended_.clear();
}

void ExportLog::RecordEnd(int target) {
  std::lock_guard lock(mutex_);
  ended_.insert(target);
}

Result<> ExportLog::CheckComplete(const std::map<int, ExportTarget>& targets) const {
  std::lock_guard lock(mutex_);
  for (const auto& [id, target] : targets) {
    if (ended_.contains(id)) continue;
    return Fail(ErrorCode::kFailed,
                Cat("the builder reports success, but did not send all of output ", id));
  }
  return {};
}

std::shared_ptr<ExportLog> AddFileSend(rpc::ServiceTable& table,
                                       std::map<int, ExportTarget>& targets,
                                       Faults& faults,
                                       EventSink& sink) {
  auto service = std::make_shared<FileSend>(targets, faults, sink);
  table.Add("/moby.filesync.v1.FileSend/DiffCopy",
            [service](rpc::ServerCall& call, const Cancel& cancel) {
              Result<> received = service->DiffCopy(call, cancel);
              return received ? rpc::Status{} : ToFailure(received.error());
            });
  return std::shared_ptr<ExportLog>(service, &service->log());
}

}  // namespace depot::session
