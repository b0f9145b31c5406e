#include "driver/event/masks.h"

#include <algorithm>

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot {

void Masks::Add(const Secret& secret) {
  AddOne(Trim(secret.Reveal()));
  for (std::string_view line : Split(secret.Reveal(), '\n'))
    AddOne(Trim(line));
}

void Masks::AddLogin(std::string_view user, const Secret& password) {
  Add(password);
  if (!user.empty()) Add(Secret(Base64(Cat(user, ':', password.Reveal()))));
}

void Masks::AddOne(std::string_view value) {
  if (value.size() < kShortest) return;
  std::lock_guard lock(mutex_);
  auto same = [value](const Secret& known) { return known.Reveal() == value; };
  if (std::any_of(secrets_.begin(), secrets_.end(), same)) return;
  auto place = std::find_if(secrets_.begin(), secrets_.end(),
                            [value](const Secret& known) { return known.size() < value.size(); });
  secrets_.insert(place, Secret(std::string(value)));
}

std::string Masks::Hide(std::string text) const {
  constexpr std::string_view kMask = "***";
  std::lock_guard lock(mutex_);
  for (const Secret& secret : secrets_) {
    for (std::size_t at = text.find(secret.Reveal()); at != std::string::npos;
         at = text.find(secret.Reveal(), at + kMask.size())) {
      text.replace(at, secret.size(), kMask);
    }
  }
  return text;
}

std::size_t Masks::Unfinished(std::string_view text) const {
  std::lock_guard lock(mutex_);
  std::size_t longest = 0;
  for (const Secret& secret : secrets_) {
    for (std::size_t size = std::min(secret.size() - 1, text.size()); size > longest; --size) {
      if (text.substr(text.size() - size) == secret.Reveal().substr(0, size)) longest = size;
    }
  }
  return longest;
}

}  // namespace depot
