#pragma once

#include <string>

#include "driver/base/error.h"

namespace depot::records {

/// Why there is no connection to the database, and what to do: `said` is what libpq says of it, in
/// one line. `password_file`: the password is from `store_password_file`. kTimeout: it may pass.
Error ConnectFailure(const std::string& said, bool password_file);

}  // namespace depot::records
