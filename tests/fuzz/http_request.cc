// A client's bytes to the pool: read at once and in two parts they are the same request, and
// nothing is taken for body that is not. The first byte says where they are cut.

#include <algorithm>
#include <string>

#include "pool/web/request_parser.h"
#include "tests/fuzz/pieces.h"

namespace {

using depot::fuzz::Expect;
using depot::web::MakeRequestParser;
using depot::web::RequestParser;
using Progress = RequestParser::Progress;

constexpr std::size_t kHeadBytes = 4096;

struct Seen {
  Progress head = Progress::kMore;
  Progress body = Progress::kMore;
  std::string method, path, content, rest;

  friend bool operator==(const Seen&, const Seen&) = default;
};

/// The parser keeps what it took; `in` holds what has come and was not taken.
void Read(RequestParser& parser, std::string& in, Seen& seen) {
  if (seen.head == Progress::kMore) seen.head = parser.ReadHead(in);
  if (seen.head != Progress::kDone || seen.body == Progress::kDone) return;
  if (seen.body == Progress::kMore) seen.body = parser.ReadBody(in, seen.content);
}

Seen ReadIn(std::string_view bytes, std::size_t cut) {
  auto parser = MakeRequestParser(kHeadBytes);
  Seen seen;
  std::string in(bytes.substr(0, cut));
  Read(*parser, in, seen);
  const bool stopped = seen.head == Progress::kBad || seen.head == Progress::kTooBig ||
                       seen.body == Progress::kBad || seen.body == Progress::kTooBig;
  in += bytes.substr(cut);
  if (!stopped) Read(*parser, in, seen);
  if (seen.head == Progress::kBad || seen.body == Progress::kBad) Expect(!parser->reason().empty());
  if (seen.head == Progress::kDone) {
    seen.method = parser->head().method;
    seen.path = parser->head().path;
    Expect(!seen.method.empty());
    const auto& headers =
        parser->head().headers;  // Host may be empty, but not missing (RFC 9112 3.2)
    if (!parser->old())
      Expect(std::ranges::count(headers, "host", [](const auto& one) { return one.first; }) == 1);
    for (const auto& [name, value] : headers) {
      Expect(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ \r\n") == name.npos);
      Expect(value.find_first_of("\r\n") == value.npos);
    }
    const auto length = parser->content_length();
    if (length) Expect(seen.content.size() <= *length);
    if (seen.body == Progress::kDone) {
      Expect(parser->complete());
      if (length) Expect(seen.content.size() == *length);
      seen.rest = in;
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Seen whole = ReadIn(bytes, bytes.size());
  const Seen cut = ReadIn(bytes, std::min<std::size_t>(data[0], bytes.size()));
  if (whole.head == Progress::kDone && whole.body == Progress::kDone) Expect(cut == whole);
  return 0;
}
