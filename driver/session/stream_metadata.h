#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/rpc/metadata.h"

namespace depot::session {

/// All values of `key`, decoded: when `KEY-encoded` is true, every value went through Go's
/// url.QueryEscape because one of them was not ASCII; otherwise they are literal (BuildKit
/// session/filesync/filesync.go). kInvalid when an escape is malformed.
Result<std::vector<std::string>> DecodedValues(const rpc::Metadata& metadata, std::string_view key);

/// Go's url.QueryUnescape: '+' is a blank, %XX a byte.
Result<std::string> QueryUnescape(std::string_view text);

}  // namespace depot::session
