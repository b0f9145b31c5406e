#include "driver/session/stream_metadata.h"

#include <charconv>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::session {

Result<std::vector<std::string>> DecodedValues(const rpc::Metadata& metadata,
                                               std::string_view key) {
  std::vector<std::string> values = metadata.All(key);
  std::string marker = metadata.Get(Cat(key, "-encoded")).value_or("");
  if (!ParseBool(marker).value_or(false)) return values;
  for (std::string& value : values) {
    TRY_ASSIGN(value, QueryUnescape(value));
  }
  return values;
}

Result<std::string> QueryUnescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
      continue;
    }
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    std::string_view digits = text.substr(i + 1, 2);
    unsigned byte = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
      return Fail(ErrorCode::kInvalid,
                  Cat("malformed escape in \"", Printable(text), "\" from the builder"));
    }
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

}  // namespace depot::session
