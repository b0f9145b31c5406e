#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/builder/endpoint.h"
#include "driver/rpc/byte_stream.h"

namespace depot::builder {

/// The decoded settings of a URL's query.
using Settings = std::map<std::string, std::string>;

/// A row of the one table of schemes: everything that differs between the ways to a daemon.
struct Scheme {
  std::string_view name;
  std::string_view form;                   ///< for hints: "tcp://HOST:PORT"
  std::vector<std::string_view> settings;  ///< keys that the query may have
  /// Fills in what is behind "://"; `endpoint.url` is there already, for errors.
  Result<> (*parse)(std::string_view rest, const Settings& settings, Endpoint& endpoint);
  /// Connects, without TLS. Errors as of rpc::DialTcp(), or kNotFound for a program that is not
  /// installed.
  Result<std::unique_ptr<rpc::ByteStream>> (*dial)(const Endpoint& endpoint, const Cancel& cancel);
};

/// All of them, the usual ones first.
const std::vector<Scheme>& Schemes();

/// nullptr for a scheme that there is not.
const Scheme* FindScheme(std::string_view name);

/// "tcp://HOST:PORT, unix:///PATH, ...", for hints.
std::string SchemeForms();

/// Connects to `endpoint` by the table, with TLS on top when it wants it. One attempt. Blocks.
Result<std::unique_ptr<rpc::ByteStream>> Dial(const Endpoint& endpoint, const Cancel& cancel);

}  // namespace depot::builder
