#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "driver/oci/descriptor.h"
#include "plugin/deliver/image_source.h"

namespace depot::deliver {

/// An image archive that is made while it is read: its layers come from where they are, in order,
/// the next one asked for while one is read. One thread.
class ImageStream {
 public:
  /// Hears how many bytes of a layer have come.
  using Watch = std::function<void(const Descriptor& layer, std::int64_t current)>;

  explicit ImageStream(Watch watch) : watch_(std::move(watch)) {}

  void AddFile(const std::string& path, const std::string& content);

  /// The layer under its place in a layout, blobs/sha256/HEX. `source` must outlive the stream.
  void AddLayer(ImageSource& source, const Descriptor& layer);

  /// After the last one, before the first Read().
  void Finish();

  /// For docker::Engine::Load(): the number of bytes put into `into`, 0 = the end. Blocks.
  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel);

  /// Why it could not be read to its end; nullopt when no source is to blame.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  struct Piece {
    std::string bytes;                    ///< before the layer
    Descriptor layer;                     ///< of `reader`
    std::unique_ptr<LayerReader> reader;  ///< null: no layer
    std::int64_t current = 0;
  };

  Result<> Advance(const Cancel& cancel);
  void AskForNext(const Cancel& cancel);

  const Watch watch_;
  std::deque<Piece> pieces_;
  std::string pending_;  // made, and not given yet
  std::string held_;     // being given
  std::size_t given_ = 0;
  std::optional<Error> failure_;
};

/// The place of a blob in an image layout.
std::string PlaceOfBlob(const std::string& digest);

}  // namespace depot::deliver
