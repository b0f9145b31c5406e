#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/rpc/byte_stream.h"

namespace depot::rpc {

/// Starts `argv` (argv[0] is looked up in PATH) and streams over its standard input and output: a
/// tunnel such as `ssh HOST buildctl dial-stdio`. kNotFound when there is no such program. When it
/// ends by itself, Read() and Write() fail with kUnavailable, its exit code and what it last said
/// on its standard error (at most 1 KiB). It is killed and reaped with the stream, which may take a
/// second; nothing else here waits beyond `cancel`.
Result<std::unique_ptr<ByteStream>> StartProcessStream(const std::vector<std::string>& argv);

}  // namespace depot::rpc
