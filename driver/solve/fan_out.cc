#include "driver/solve/fan_out.h"

#include <optional>

#include "driver/base/task_group.h"

namespace depot::solve {

Result<std::vector<BuildResult>> SolveAll(const std::vector<Solving>& solves,
                                          const Cancel& cancel) {
  std::vector<BuildResult> results(solves.size());
  auto run = [&](std::size_t index, const Cancel& stop) -> Result<> {
    const Solving& one = solves[index];
    auto solved = Solve(*one.builder, *one.request, *one.services, *one.sink, stop);
    std::optional<Error> ours = one.exported->first_error();
    if (!solved && ours && !stop.cancelled()) return Fail(*std::move(ours));
    TRY_ASSIGN(results[index], std::move(solved));
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
