#pragma once

#include <string>
#include <vector>

#include "driver/flags/flag_table.h"

namespace depot::options {

/// Flags that docker buildx, docker build or the Depot CLI take and that change nothing here, as
/// they change nothing there: each puts one line into `notices`, which must outlive them. With
/// them those of buildx's former controller, of which the ones that ask for another kind of build
/// are kUsage and say what to use instead. None is in the help.
std::vector<flags::Flag> OldFlags(std::vector<std::string>& notices);

}  // namespace depot::options
