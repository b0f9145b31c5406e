#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "driver/base/task_group.h"
#include "driver/depot/build_record.h"

namespace depot::api {

/// Tells the API of our own steps, in batches, from a thread of its own; whether it hears of them
/// is nobody's concern, so failures are silent. (depot/cli pkg/progresshelper/reportingwriter.go)
class StepReports {
 public:
  explicit StepReports(std::shared_ptr<BuildRecord> build);

  /// The newest state of a step. Any thread; never blocks. A step that comes too soon after too
  /// many others is not told of.
  void Add(const Vertex& step);

  /// Ends the thread and sends what is left, within Times::last_report. One thread.
  void Finish(const Cancel& cancel);

 private:
  Result<> Run(const Cancel& stop);
  /// Whether what was there has been sent, or need not be sent again.
  bool Send(const Cancel& cancel);

  const std::shared_ptr<BuildRecord> build_;
  std::mutex mutex_;
  std::condition_variable_any added_;
  std::vector<ReportedStep> waiting_;
  TaskGroup thread_;  // last: joins before the rest goes
};

/// Passes everything on to `sink`, and its steps also to `reports`; both must outlive it.
class ReportingSink final : public EventSink {
 public:
  ReportingSink(EventSink& sink, StepReports& reports) : sink_(sink), reports_(reports) {}

  void Emit(Event event) override;

 private:
  EventSink& sink_;
  StepReports& reports_;
};

}  // namespace depot::api
