// Output of a build step, cut anywhere: each line is harmless, and where the chunks end makes no
// difference.

#include "plugin/progress/log_filter.h"

#include "driver/base/shown.h"
#include "tests/fuzz/pieces.h"

namespace {

using Lines = std::vector<std::string>;

/// Colours are the only escape sequences.
void CheckLine(std::string_view line, bool colours) {
  std::string rest;
  while (!line.empty()) {
    if (line.substr(0, 2) == "\x1b[") {
      std::size_t end = line.find_first_not_of("0123456789;:", 2);
      depot::fuzz::Expect(colours && end != std::string_view::npos && line[end] == 'm');
      line.remove_prefix(end + 1);
      continue;
    }
    rest.push_back(line.front());
    line.remove_prefix(1);
  }
  depot::fuzz::Expect(depot::Printable(rest) == rest);
}

Lines Filter(std::string_view bytes, bool colours, std::size_t limit, std::size_t chunk) {
  depot::LogFilter filter(colours);
  Lines lines;
  for (std::size_t at = 0; at < bytes.size(); at += chunk)
    filter.Feed(bytes.substr(at, chunk), limit, lines);
  if (filter.open()) lines.push_back(filter.TakeOpen());
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool colours = (data[0] & 1) != 0;
  const std::size_t chunk = 1 + data[1];
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  for (const std::string& line : Filter(bytes, colours, 1 + (data[0] >> 1), chunk))
    CheckLine(line, colours);
  Lines whole = Filter(bytes, colours, 1 << 20, bytes.size() + 1);
  for (const std::string& line : whole)
    CheckLine(line, colours);
  depot::fuzz::Expect(whole == Filter(bytes, colours, 1 << 20, chunk));
  return 0;
}
