#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/rpc/budget.h"

namespace depot::rpc {

/// Header values of any length. nghttp2's HPACK decoder takes at most 64 KiB for one
/// (NGHTTP2_HD_MAX_NV, which nothing changes), and what a builder says of a failure is one value,
/// `grpc-status-details-bin`, with the Dockerfile in it. So the longer ones are taken out of a
/// peer's bytes before nghttp2 reads them, and it is given a stand-in for each, by which the value
/// is found again. Only blocks of several frames (HEADERS and CONTINUATION) are looked at; all
/// else, and what is damaged, goes through as it came, for nghttp2 to judge. One thread at a time.
class LongValues {
 public:
  /// A value of up to so many bytes is nghttp2's; in a frame of 16 KiB there is none that is
  /// longer.
  static constexpr std::size_t kShort = 32 << 10;

  using Pass = std::function<void(std::string_view)>;

  /// The first `preface` bytes are no frames. What is held counts in `budget`; a block that would
  /// exceed it goes through as it came. `shortest` is another kShort, for tests.
  LongValues(std::size_t preface, std::shared_ptr<Budget> budget, std::size_t shortest = kShort);

  /// Gives to `pass`, in order, what nghttp2 is to read in the place of these bytes, now or with
  /// later ones. While it is called, Find() knows the values of that.
  void Filter(std::string_view bytes, const Pass& pass);

  /// Of a value that nghttp2 has read: the one it stands for; null when it is just itself.
  const std::string* Find(std::string_view value) const;

  /// Whether a block has gone through as it came because of the budget.
  bool exceeded() const { return exceeded_; }

 private:
  std::size_t Hold(std::string_view bytes, const Pass& pass);
  bool IsPartOfBlock() const;
  void Flush(const Pass& pass);
  void PassBlock(const Pass& pass);
  std::optional<std::string> WithStandIns(std::string_view block);
  bool TakeOut(std::string_view value, bool packed);

  const std::shared_ptr<Budget> budget_;
  const std::size_t shortest_;
  std::size_t passing_;       // bytes of the preface or of a frame that still go through
  std::string held_;          // an incomplete frame header, or the frames of a block
  std::size_t frame_at_ = 0;  // in held_: where its last frame begins
  BudgetShare share_;
  std::vector<std::string> values_;  // of the block that is passed
  bool exceeded_ = false;
};

}  // namespace depot::rpc
