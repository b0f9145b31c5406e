#include "plugin/deliver/image_stream.h"

#include <algorithm>
#include <cstring>

#include "driver/base/text.h"
#include "plugin/deliver/tar_archive.h"

namespace depot::deliver {

std::string PlaceOfBlob(const std::string& digest) {
  return Cat("blobs/sha256/", std::string_view(digest).substr(digest.find(':') + 1));
}

void ImageStream::AddFile(const std::string& path, const std::string& content) {
  pending_ += TarFileHeader(path, content.size());
  pending_ += content;
  pending_.append(TarPadding(content.size()), '\0');
}

void ImageStream::AddLayer(ImageSource& source, const Descriptor& layer) {
  const auto size = static_cast<std::uint64_t>(layer.size);
  pending_ += TarFileHeader(PlaceOfBlob(layer.digest), size);
  Piece& piece = pieces_.emplace_back();
  piece.bytes = std::exchange(pending_, std::string(TarPadding(size), '\0'));
  piece.layer = layer;
  piece.reader = source.Open(layer);
}

void ImageStream::Finish() {
  pending_.append(kTarEnd, '\0');
  pieces_.emplace_back().bytes = std::exchange(pending_, {});
}

void ImageStream::AskForNext(const Cancel& cancel) {
  if (pieces_.size() > 1 && pieces_[1].reader) pieces_[1].reader->Ask(cancel);
}

/// Makes `held_` the next bytes; it stays empty at the end.
Result<> ImageStream::Advance(const Cancel& cancel) {
  given_ = 0;
  held_.clear();
  while (held_.empty() && !pieces_.empty()) {
    Piece& piece = pieces_.front();
    if (!piece.bytes.empty()) {
      if (piece.reader) piece.reader->Ask(cancel);
      held_ = std::exchange(piece.bytes, {});
    } else if (piece.reader) {
      AskForNext(cancel);
      TRY_ASSIGN(held_, piece.reader->Next(cancel));
      piece.current += static_cast<std::int64_t>(held_.size());
      if (!held_.empty()) watch_(piece.layer, piece.current);
      if (held_.empty()) piece.reader.reset();
    } else {
      pieces_.pop_front();
    }
  }
  return {};
}

Result<std::size_t> ImageStream::Read(char* into, std::size_t capacity, const Cancel& cancel) {
  if (given_ == held_.size()) {
    Result<> advanced = Advance(cancel);
    if (!advanced) {
      if (!cancel.cancelled()) failure_ = advanced.error();
      return Fail(std::move(advanced).error());
    }
  }
  const std::size_t size = std::min(capacity, held_.size() - given_);
  std::memcpy(into, held_.data() + given_, size);
  given_ += size;
  return size;
}

}  // namespace depot::deliver
