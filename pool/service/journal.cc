#include "pool/service/journal.h"

#include <chrono>
#include <utility>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/settings/timestamp.h"

namespace depot::service {
namespace {

// Nine values of this size, escaped, stay below what a pipe takes in one piece.
constexpr std::size_t kLongestValue = 200;
constexpr std::size_t kLongestLine = 2000;

/// At most `limit` bytes, cut between characters.
std::string Shorten(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80)
    --limit;
  return Cat(text.substr(0, limit), "...");
}

}  // namespace

void Journal::Audit(const Decision& decision) const {
  Json line = Json::Object();
  line.Set("time", Json::String(settings::FormatTime(WallClock())));
  for (const auto& [key, value] : {std::pair{"what", &decision.what},
                                   {"project", &decision.project},
                                   {"who", &decision.who},
                                   {"build", &decision.build},
                                   {"platform", &decision.platform},
                                   {"builder", &decision.builder},
                                   {"peer", &decision.peer},
                                   {"verdict", &decision.verdict},
                                   {"reason", &decision.reason}}) {
    if (value->empty()) continue;
    line.Set(key, Json::String(Shorten(Printable(*value), kLongestValue)));
  }
  audit_(Cat(line.Dump(), '\n'));
}

void Journal::Say(std::string_view text) const {
  log_(Cat(settings::FormatTime(WallClock()), ' ', Shorten(Printable(text), kLongestLine), '\n'));
}

std::int64_t WallClock() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace depot::service
