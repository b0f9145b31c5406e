#pragma once

#include <string>
#include <string_view>

#include <openssl/types.h>

#include "driver/base/result.h"

namespace depot::identity {

/// What a client certificate says: who may come in, and where.
struct Pass {
  std::string builder;  ///< opens this one alone, as the settings name it
  std::string project;
  std::string build;  ///< "" = the pool itself, at work for the project
};

/// Whether a name can stand in a certificate and be a folder's: letters, digits and `._-@`, neither
/// "." nor "..".
bool IsPassName(std::string_view name);

/// What the certificate's URI names say (depot-pool:builder:NAME, depot-pool:project:NAME,
/// depot-pool:build:ID). kDenied when it names no builder, or anything twice. Whether its signature
/// is to be trusted is for TLS to decide.
Result<Pass> ReadPass(const X509& certificate);

/// The same names as OpenSSL's configuration writes them; kInvalid when a name cannot stand there.
Result<std::string> WritePass(const Pass& pass);

}  // namespace depot::identity
