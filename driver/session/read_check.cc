#include "driver/session/read_check.h"

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot::session {
namespace {

constexpr std::size_t kMaxReadChecks = 100;

}  // namespace

void ReadCheck::Update(std::string_view data) {
  hash_.Update(data);
  read_ += static_cast<std::int64_t>(data.size());
}

bool ReadCheck::Is(std::string_view digest) {
  return Cat("sha256:", Hex(hash_.Finish())) == digest;
}

std::unique_ptr<ReadCheck> ReadChecks::Take(const std::string& store,
                                            const std::string& digest,
                                            std::int64_t offset) {
  std::unique_ptr<ReadCheck> check;
  {
    const std::lock_guard lock(mutex_);
    auto kept = checks_.extract({store, digest});
    if (!kept.empty()) check = std::move(kept.mapped());
  }
  if (check && check->read() == offset) return check;
  return offset == 0 ? std::make_unique<ReadCheck>() : nullptr;
}

void ReadChecks::Keep(const std::string& store,
                      const std::string& digest,
                      std::unique_ptr<ReadCheck> check) {
  const std::lock_guard lock(mutex_);
  if (checks_.size() >= kMaxReadChecks) checks_.clear();
  checks_.insert_or_assign({store, digest}, std::move(check));
}

}  // namespace depot::session
