#include "driver/files/denied.h"

#include <cerrno>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::files {

Error LookError(std::string_view doing,
                std::string_view path,
                int error_number,
                std::string_view or_else) {
  Error error = SystemError(Cat(doing, ' ', Printable(path)), error_number);
  if (error_number != EACCES) return error;
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string_view::npos ? "the root of the context"
                                                             : Printable(path.substr(0, slash));
  return std::move(error).WithHint(
      Cat("let this user read and enter ", parent, " (chmod +rx)", or_else));
}

}  // namespace depot::files
