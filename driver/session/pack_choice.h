#pragma once

#include <chrono>
#include <cstddef>

namespace depot::session {

/// Whether what is sent next is worth packing. It goes by what is measured: how many bytes,
/// unpacked, are off our hands in a second, in the one way and in the other. What holds them up
/// does not matter: where it is not the link, packing changes nothing or makes it worse, and shows
/// so. Starts plain. Not synchronized.
class PackChoice {
 public:
  using Time = std::chrono::steady_clock::time_point;

  bool packs() const { return packs_; }

  /// `size` bytes, which packing made `packed` of, were sent from `begin` until `end`, packing
  /// included. Plain: both are the same.
  void Sent(std::size_t size, std::size_t packed, Time begin, Time end);

 private:
  using Duration = std::chrono::steady_clock::duration;

  bool WantsOther(double rate, bool shrank);

  bool packs_ = false;
  Time last_end_{};
  std::size_t size_ = 0;  // of this sample, as the next two
  std::size_t packed_ = 0;
  Duration took_{};
  double other_ = 0;  // bytes per second of the other way when it was left; 0 = never tried
  int samples_ = 0;   // since the way was changed
  int patience_ = 1;  // samples until the other way is tried again
};

}  // namespace depot::session
