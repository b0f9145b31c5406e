#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::docker {

/// One JSON object of the stream that the Engine answers a load or push with (moby
/// api/types/jsonstream). Parts that are missing are empty.
struct EngineMessage {
  std::string id;  ///< short layer id
  std::string status;
  std::string stream;  ///< output for people
  std::int64_t current = 0;
  std::int64_t total = 0;
  /// What the registry knows the pushed image by, from the status "TAG: digest: DIGEST size: N".
  /// Both image stores end a push with it; the "aux" object is missing with containerd's.
  std::string digest;
};

/// Takes the stream apart as it comes. The first error message that it holds is kept: after it the
/// work has failed, whatever the HTTP status said. One thread at a time.
class EngineMessageStream {
 public:
  explicit EngineMessageStream(std::function<void(const EngineMessage&)> take)
      : take_(std::move(take)) {}

  /// Objects may be split and joined anywhere. More than 1 MiB without an end is kInvalid; what is
  /// not JSON is passed over.
  Result<> Feed(std::string_view data);

  /// What the Engine said when it failed ("errorDetail" or "error"), for people.
  const std::optional<std::string>& error() const { return error_; }

  /// The start of the raw answer, for the {"message": ...} of a failure status.
  const std::string& beginning() const { return beginning_; }

 private:
  void TakeObject(std::string_view text);

  std::function<void(const EngineMessage&)> take_;
  std::optional<std::string> error_;
  std::string beginning_;
  std::string object_;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace depot::docker
