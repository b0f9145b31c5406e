#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace depot {

/// How many cells of a terminal `text` takes: wide characters two (UAX #11), combining marks none,
/// a tab up to the next eighth cell, colours (SGR sequences) none. `text` is one line without other
/// control characters, as LogFilter and Printable() make them. Terminals differ in what is new in
/// Unicode or ambiguous.
std::size_t Columns(std::string_view text);

/// The start of `text` that fits into `columns` cells, with blanks in place of tabs, and without
/// colour at its end.
std::string FitColumns(std::string_view text, std::size_t columns);

}  // namespace depot
