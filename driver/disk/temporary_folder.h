#pragma once

#include <string>
#include <utility>

#include "driver/base/result.h"

namespace depot::disk {

/// An empty folder that only its owner may enter, and that goes with all that is in it by then.
class TemporaryFolder {
 public:
  /// In `place`, under a name of its own.
  static Result<TemporaryFolder> Make(const std::string& place);

  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;  ///< "" = moved from
};

}  // namespace depot::disk
