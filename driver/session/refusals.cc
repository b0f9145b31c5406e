#include "driver/session/refusals.h"

#include "driver/base/shown.h"

namespace depot::session {
namespace {

constexpr std::size_t kMaxSaid = 20;
constexpr std::size_t kMaxLength = 500;

}  // namespace

void Refusals::Say(const std::string& text) {
  std::string line = Printable(std::string_view(text).substr(0, kMaxLength));
  {
    std::lock_guard lock(mutex_);
    if (said_.size() >= kMaxSaid || !said_.insert(line).second) return;
  }
  sink_.Say(std::move(line));
}

}  // namespace depot::session
