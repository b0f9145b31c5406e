#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/event/event.h"

namespace depot {

/// The lines of a Dockerfile that an error or a warning is about, as `docker build` prints them: a
/// header FILE:LINE, a rule, the lines with `>>>` at those inside a range, a rule; each ends in a
/// newline. More than 500 lines end in `...`. Empty when there is no range, or the first one starts
/// behind the end of `source`. Control characters do not come through. (BuildKit
/// solver/errdefs/source.go)
std::string SourceExcerpt(std::string_view filename,
                          std::string_view source,
                          const std::vector<SourceRange>& ranges);

}  // namespace depot
