#pragma once

#include <memory>

#include "driver/http/client.h"

struct curl_slist;

namespace depot::http {

struct FreeHeaderList {
  void operator()(curl_slist* list) const;
};

/// Headers as libcurl takes them; may hold secrets.
using HeaderList = std::unique_ptr<curl_slist, FreeHeaderList>;

/// Those of `request`, and those that libcurl is not to add of its own accord. kInvalid: one of
/// them would break out of its line.
Result<HeaderList> MakeHeaders(const Request& request);

}  // namespace depot::http
