#include "driver/event/step.h"

#include <atomic>
#include <utility>

#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::string_view kCancelled = "context canceled";

std::string NextDigest() {
  static std::atomic<std::uint64_t> count{0};
  return Cat("step:", count.fetch_add(1) + 1);
}

}  // namespace

Timestamp Now() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

Step::Step(EventSink& sink, std::string name) : sink_(sink) {
  vertex_.digest = NextDigest();
  vertex_.name = std::move(name);
  vertex_.started = Now();
  sink_.Emit(vertex_);
}

Step::~Step() {
  Done();
}

void Step::Progress(const std::string& id, std::int64_t current, std::int64_t total) {
  if (ended_) return;
  Timestamp now = Now();
  VertexStatus& status = open_[id];
  if (!status.started) {
    status.id = id;
    status.vertex = vertex_.digest;
    status.started = now;
  }
  status.current = current;
  status.total = total;
  status.timestamp = now;
  sink_.Emit(status);
}

void Step::ProgressDone(const std::string& id) {
  if (ended_) return;
  if (!open_.contains(id)) Progress(id, 0, 0);
  auto node = open_.extract(id);
  VertexStatus& status = node.mapped();
  status.timestamp = Now();
  status.completed = status.timestamp;
  sink_.Emit(std::move(status));
}

void Step::Log(std::string text) {
  if (ended_) return;
  if (!text.ends_with('\n')) text.push_back('\n');
  sink_.Emit(VertexLog{vertex_.digest, Now(), 1, std::move(text)});
}

void Step::Done() {
  End("");
}

void Step::Failed(const Error& error) {
  std::string text = error.message();
  if (error.code() == ErrorCode::kCancelled && !text.ends_with(kCancelled)) {
    text = Cat(text, ": ", kCancelled);
  }
  End(std::move(text));
}

void Step::End(std::string error) {
  if (ended_) return;
  while (!open_.empty())
    ProgressDone(std::string(open_.begin()->first));
  ended_ = true;
  vertex_.completed = Now();
  vertex_.error = std::move(error);
  sink_.Emit(vertex_);
}

}  // namespace depot
