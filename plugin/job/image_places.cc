#include "plugin/job/image_places.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/session/layout_store.h"
#include "plugin/job/layout_repository.h"

namespace depot::job {
namespace {

constexpr std::string_view kLayoutScheme = "oci-layout://";

}  // namespace

Result<ImageName> ParseImageName(std::string_view text) {
  ImageName name;
  if (!text.starts_with(kLayoutScheme)) {
    Result<Reference> reference = ParseReference(text);
    if (!reference) return Fail(ErrorCode::kUsage, reference.error().message());
    name.tag = reference->tag;
    name.digest = reference->digest;
    name.reference = *std::move(reference);
    return name;
  }
  std::string_view path = text.substr(kLayoutScheme.size());
  const std::size_t at = path.rfind('@');
  if (at != std::string_view::npos) {
    name.digest = path.substr(at + 1);
    path = path.substr(0, at);
    if (!IsDigest(name.digest)) {
      return Fail(ErrorCode::kUsage, Cat(Printable(text), ": behind @ stands no sha256 digest"));
    }
  }
  const std::size_t colon = path.rfind(':');
  if (colon != std::string_view::npos && path.find('/', colon) == std::string_view::npos) {
    name.tag = path.substr(colon + 1);
    path = path.substr(0, colon);
  }
  if (name.tag.empty() && name.digest.empty()) name.tag = "latest";
  if (path.empty()) return Fail(ErrorCode::kUsage, Cat(Printable(text), " names no folder"));
  name.layout = path;
  return name;
}

std::string FormatImageName(const ImageName& name) {
  if (name.layout.empty()) return FormatReference(name.reference);
  return Cat(PlaceOf(name), name.tag.empty() ? "" : ":", name.tag, name.digest.empty() ? "" : "@",
             name.digest);
}

std::string PlaceOf(const ImageName& name) {
  return name.layout.empty() ? RepositoryOf(name.reference) : Cat(kLayoutScheme, name.layout);
}

Result<registry::Repository*> ImagePlaces::Open(const ImageName& name, bool write) {
  std::unique_ptr<registry::Repository>& place =
      open_[Cat(write ? "write " : "read ", PlaceOf(name))];
  if (place) return place.get();
  if (name.layout.empty()) {
    place =
        registries_.Open(name.reference, write ? registry::Access::kPush : registry::Access::kPull);
    return place.get();
  }
  auto store = write ? session::LayoutStore::OpenToWrite(name.layout)
                     : session::LayoutStore::OpenToRead(name.layout);
  if (!store) return Fail(std::move(store).error());
  place = MakeLayoutRepository(*std::move(store));
  return place.get();
}

}  // namespace depot::job
