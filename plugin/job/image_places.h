#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "driver/oci/reference.h"
#include "driver/registry/repository.h"

namespace depot::job {

/// An image in a registry, or in an OCI layout on disk; a value.
struct ImageName {
  std::string layout;  ///< the folder; "" = it is in a registry
  std::string tag;     ///< "latest" when neither a tag nor a digest was given; else may be empty
  std::string digest;
  Reference reference;  ///< of one in a registry
};

/// Reads NAME[:TAG][@DIGEST] or oci-layout://PATH[:TAG][@DIGEST]. kUsage otherwise.
Result<ImageName> ParseImageName(std::string_view text);

/// As people know it, with tag and digest.
std::string FormatImageName(const ImageName& name);

/// Where images are, each opened once. One thread.
class ImagePlaces {
 public:
  /// `registries` outlives it.
  explicit ImagePlaces(registry::Registries& registries) : registries_(registries) {}

  /// The repository or layout of the image, for reading. kNotFound for a layout that is not there.
  Result<registry::Repository*> ToRead(const ImageName& name) { return Open(name, false); }

  /// The same for writing: a layout is made.
  Result<registry::Repository*> ToWrite(const ImageName& name) { return Open(name, true); }

 private:
  Result<registry::Repository*> Open(const ImageName& name, bool write);

  registry::Registries& registries_;
  std::map<std::string, std::unique_ptr<registry::Repository>> open_;
};

/// host/path of a registry, or the folder of a layout: images with the same are in one place.
std::string PlaceOf(const ImageName& name);

}  // namespace depot::job
