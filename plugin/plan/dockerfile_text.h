#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "driver/files/tree.h"
#include "driver/solve/dockerfile_input.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// The Dockerfile of a local context as it can travel in the call, with the ignore file in force.
/// nullopt: the frontend is to ask for it, since it or its own ignore file is large, is not
/// Docker's own (`# syntax=`) or takes no inputs, its context being elsewhere; or since it cannot
/// be read or has rules that are not in order, which the builder then says. A context's ignore file
/// of which that holds is left to the frontend alone.
std::optional<solve::DockerfileText> ReadDockerfileText(
    const Source& source, const std::map<std::string, std::unique_ptr<files::FileTree>>& trees);

}  // namespace depot::plan
