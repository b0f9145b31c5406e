#pragma once

#include <memory>
#include <string>

#include "driver/base/cancel.h"
#include "driver/http/client.h"

namespace depot::front {

/// What the pool says.
struct Word {
  enum class Kind { kYes, kNo, kUnknown };

  Kind kind = Kind::kUnknown;
  std::string why;  ///< of kNo, and of kUnknown: what came instead of an answer
};

/// Asks the pool at `url` whether `build` may be on `builder` (GET URL/builds/BUILD/on/BUILDER);
/// takes 5 s at most. All names are safe in a URL. Any thread.
Word AskPool(http::HttpClient& client,
             const std::string& url,
             const std::string& build,
             const std::string& builder,
             const Cancel& cancel);

/// The same about whether it has a builder of this name at all (GET URL/builders/BUILDER). A pool
/// of before does not know: kUnknown.
Word AskForBuilder(http::HttpClient& client,
                   const std::string& url,
                   const std::string& builder,
                   const Cancel& cancel);

}  // namespace depot::front
