#include "driver/solve/fan_out.h"

#include "driver/base/task_group.h"

namespace depot::solve {

Result<std::vector<BuildResult>> SolveAll(const std::vector<Solving>& solves,
                                          const Cancel& cancel) {
  std::vector<BuildResult> results(solves.size());
  auto run = [&](std::size_t index, const Cancel& stop) -> Result<> {
    const Solving& one = solves[index];
    SolveOutcome outcome = SolveToEnd(one, stop);
    if (auto* failed = std::get_if<Failed>(&outcome)) {
      return Fail(std::move(failed->error).WithPlace({"", one.platforms, one.builder->endpoint()}));
    }
    if (auto* lost = std::get_if<Lost>(&outcome)) return Fail(std::move(lost->error));
    results[index] = std::get<BuildResult>(std::move(outcome));
    return {};
  };
  if (solves.size() == 1) {
    TRY(run(0, cancel));
    return results;
  }
  TaskGroup group(cancel);
  for (std::size_t index = 0; index < solves.size(); ++index) {
    group.Start("solve", [&run, index](const Cancel& stop) { return run(index, stop); });
  }
  TRY(group.Wait());
  return results;
}

}  // namespace depot::solve
