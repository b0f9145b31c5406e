#pragma once

#include <string_view>
#include <utility>

#include <tl/expected.hpp>

#include "driver/base/error.h"

namespace depot {

/// A value or an Error; Result<> is success or an Error.
template <typename T = void>
using Result = tl::expected<T, Error>;

/// For `return Fail(ErrorCode::kInvalid, "...")` in any function that returns a Result.
inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return Fail(Error(code, std::move(message)));
}

/// What was read of a setting. A failure that has no place yet becomes one At(kSettings), and names
/// who held the wrong value: a flag or a variable ("" = its message does already; so does one that
/// is At(kSettings)).
template <typename T>
Result<T> OfSetting(std::string_view name, Result<T> read) {
  if (read) return read;
  Error error = std::move(read).error();
  if (!name.empty() && error.at() != FailedAt::kSettings) error = std::move(error).While(name);
  return Fail(std::move(error).At(FailedAt::kSettings));
}

/// Of two things that do not need each other: what failed of them.
inline Result<> Both(Result<> first, Result<> second) {
  if (first) return second;
  if (second) return first;
  return Fail(std::move(first).error().And(second.error()));
}

}  // namespace depot

#define DEPOT_CONCAT_INNER(a, b) a##b
#define DEPOT_CONCAT(a, b) DEPOT_CONCAT_INNER(a, b)

/// Returns the Error of `expression` from the enclosing function, if it is one.
#define TRY(expression)                                                   \
  do {                                                                    \
    auto try_result = (expression);                                       \
    if (!try_result) return ::depot::Fail(std::move(try_result).error()); \
  } while (false)

/// TRY_ASSIGN(auto x, F()): declares or assigns the value, or returns the Error.
#define TRY_ASSIGN(target, expression) \
  TRY_ASSIGN_INNER(DEPOT_CONCAT(try_assign_, __LINE__), target, expression)
#define TRY_ASSIGN_INNER(result, target, expression)            \
  auto result = (expression);                                   \
  if (!result) return ::depot::Fail(std::move(result).error()); \
  target = *std::move(result)
