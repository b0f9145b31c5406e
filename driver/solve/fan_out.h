#pragma once

#include <vector>

#include "driver/solve/resume.h"

namespace depot::solve {

/// Runs the solves side by side, each as SolveToEnd() does, and gives their results in the same
/// order: one whose builder is lost goes on while the others do. The first one that fails is the
/// one reported, and the others are cancelled: within 3 s they are over too. Blocks.
Result<std::vector<BuildResult>> SolveAll(const std::vector<Solving>& solves, const Cancel& cancel);

}  // namespace depot::solve
