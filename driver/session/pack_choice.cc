#include "driver/session/pack_choice.h"

#include <algorithm>

namespace depot::session {
namespace {

/// A sample is over after so much time and so many bytes, or after far more bytes.
constexpr std::chrono::milliseconds kSampleTime(300);
constexpr std::size_t kSampleSize = 256 << 10;
constexpr std::size_t kLargeSample = 32 << 20;
/// Whoever sends nothing for longer had nothing to send; a full window opens sooner.
constexpr std::chrono::milliseconds kLongestPause(500);
/// Packing gives some 100 MB/s: a link that is as fast as this needs none.
constexpr double kFast = 60e6;
/// Packing is work for both ends: so much better it has to be.
constexpr double kWorthIt = 1.25;
/// In samples: after so many a look at the other way, however good this one is.
constexpr int kLongest = 64;

}  // namespace

void PackChoice::Sent(std::size_t size, std::size_t packed, Time begin, Time end) {
  size_ += size;
  packed_ += packed;
  took_ += end - (begin - last_end_ < kLongestPause ? last_end_ : begin);
  last_end_ = end;
  if ((took_ < kSampleTime || size_ < kSampleSize) && size_ < kLargeSample) return;
  const double rate =
      static_cast<double>(size_) / std::max(std::chrono::duration<double>(took_).count(), 1e-6);
  const bool shrank = static_cast<double>(packed_) * kWorthIt < static_cast<double>(size_);
  size_ = packed_ = 0;
  took_ = {};
  ++samples_;
  if (!WantsOther(rate, shrank)) return;
  packs_ = !packs_;
  other_ = rate;
  samples_ = -1;  // the first one still shows what was under way
}

/// Whether the way that gave `rate` is to be left. Also sets how long the next one is kept.
bool PackChoice::WantsOther(double rate, bool shrank) {
  if (samples_ <= 0) return false;
  if (packs_) {
    // What did not shrink was faster by chance.
    if (shrank && rate > other_ * kWorthIt) {
      patience_ = 1;
      return samples_ >= kLongest;
    }
    patience_ = std::min(patience_ * 4, kLongest);
    return true;
  }
  if (rate >= kFast) return false;
  return other_ > rate * kWorthIt || samples_ >= patience_;
}

}  // namespace depot::session
