#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/secret.h"

namespace depot {

/// The secrets that are in use, which no output may show. Any thread.
class Masks {
 public:
  /// What is shorter is no secret, and would make holes in innocent words.
  static constexpr std::size_t kShortest = 6;

  /// From now on it is hidden, without the blanks around it, and so is each of its lines.
  void Add(const Secret& secret);

  /// The same for a user name and password, and for both as HTTP's Basic writes them (RFC 7617).
  void AddLogin(std::string_view user, const Secret& password);

  /// `text` with `***` in place of every secret.
  std::string Hide(std::string text) const;

  /// How many bytes at the end of `text` may be the beginning of a secret.
  std::size_t Unfinished(std::string_view text) const;

 private:
  void AddOne(std::string_view value);

  mutable std::mutex mutex_;
  std::vector<Secret> secrets_;  ///< longest first
};

}  // namespace depot
