#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/value.h"

/// The standard functions of the language.
namespace depot::hcl {

using Arguments = std::vector<Value>;

/// One function. `parameters` has a letter for each argument: `s` text, `n` number, `b` bool, `l`
/// list, set or tuple (it stays what it is), `m` map or object, `a` anything. Behind a letter: `?`
/// null is let through, `*` (the last one) any number of them. Arguments are converted before the
/// call.
struct Function {
  std::string_view name;
  std::string_view parameters;
  Result<Value> (*call)(const Arguments& arguments);  ///< errors need no place
};

/// Each family of functions has a file.
std::span<const Function> TextFunctions();
std::span<const Function> FormatFunctions();
std::span<const Function> NumberFunctions();
std::span<const Function> LogicFunctions();
std::span<const Function> ListFunctions();
std::span<const Function> SetFunctions();
std::span<const Function> MapFunctions();
std::span<const Function> EncodeFunctions();
std::span<const Function> HashFunctions();
std::span<const Function> PatternFunctions();
std::span<const Function> TimeFunctions();
std::span<const Function> AddressFunctions();
std::span<const Function> VersionFunctions();

/// The functions that the evaluator itself knows: they get their arguments unevaluated, or need
/// the scope.
inline constexpr std::array<std::string_view, 4> kSpecialFunctions = {"can", "convert", "homedir",
                                                                      "try"};

/// nullptr = there is none; a special one is none.
const Function* FindFunction(std::string_view name);
/// The special ones too.
std::vector<std::string_view> FunctionNames();

/// Checks the number of arguments, converts and calls. Errors need no place.
Result<Value> CallFunction(const Function& function, Arguments arguments);

/// What the functions that multiply their arguments may make: bytes of text or elements.
inline constexpr std::size_t kLargestResult = std::size_t{16} << 20U;

/// kInvalid when `size` is more than that.
Result<> CheckSize(std::size_t size);

inline tl::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalid, std::move(message));
}

/// A whole number; the error says `what` it should be.
Result<std::int64_t> Whole(const Value& value, std::string_view what);

/// Elements brought to one type.
Result<Elements> Unified(const Elements& elements);

}  // namespace depot::hcl
