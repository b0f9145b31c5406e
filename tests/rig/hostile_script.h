#pragma once

#include <string>

#include "nlohmann/json.hpp"

#include "driver/base/cancel.h"
#include "driver/rpc/bytes.h"
#include "driver/rpc/channel.h"

namespace depot::hostile {

/// What hostile_builder is told to do; see there.
using Script = nlohmann::json;

/// The member `key`, or "" when it is absent.
inline std::string Text(const Script& object, const char* key) {
  return object.value(key, std::string());
}

/// The member `key`, or an empty list when it is absent.
inline Script List(const Script& object, const char* key) {
  return object.value(key, Script::array());
}

/// The member `key`, or an empty object when it is absent.
inline Script Members(const Script& object, const char* key) {
  return object.value(key, Script::object());
}

inline rpc::BytesList Message(std::string bytes) {
  return {rpc::Bytes(std::move(bytes))};
}

/// Makes the request `action` ({"do": NAME, ...}; the names are those of Actor's functions) to
/// `client`, and prints a line of JSON with its answer. Blocks; any thread.
void Act(rpc::Channel& client, const Script& action, const Cancel& cancel);

}  // namespace depot::hostile
