#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::hcl {

/// The text of a file, kept as long as something refers into it.
struct Source {
  std::string name;  ///< as errors show it
  std::string text;
};

/// A stretch of a source in bytes. A value.
struct Range {
  std::shared_ptr<const Source> source;
  std::size_t begin = 0;
  std::size_t end = 0;  ///< behind the last byte

  std::string_view text() const;
  std::size_t line() const;   ///< of `begin`, from 1
  std::string Where() const;  ///< "FILE:LINE,COL-COL" with columns in characters, from 1
};

/// From the begin of the one to the end of the other, both of one source.
Range Span(const Range& first, const Range& last);

/// A failure at a place (kInvalid): the message is `FILE:LINE,COL-COL: gist; detail`, the excerpt
/// shows the line marked, with up to two before and after it. `detail` may be "".
Error ErrorAt(const Range& range, std::string_view gist, std::string_view detail);

/// An error that knows no place yet, such as one of Convert(), gets this one.
Error ErrorAt(const Range& range, std::string_view gist, const Error& cause);

}  // namespace depot::hcl
