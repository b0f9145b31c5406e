#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/json.h"

namespace depot::builder {

/// docker buildx's own files about its instances, changed as it changes them (buildx
/// store/store.go, store/storeutil): each whole, under its lock. One thread.
class InstanceStore {
 public:
  /// `folder` is BuildxFolder(); made with the first change.
  explicit InstanceStore(std::string folder) : folder_(std::move(folder)) {}

  /// Of all instances, sorted; at most 1000.
  std::vector<std::string> Names() const;

  /// The file of an instance. kNotFound when there is none, kInvalid when it is malformed.
  Result<Json> Read(std::string_view name) const;

  /// When buildx last used it, as its file says (RFC 3339); "" = it does not.
  std::string LastActivity(std::string_view name) const;

  /// Writes the file of an instance over the one that is there.
  Result<> Write(std::string_view name, const Json& instance, const Cancel& cancel);

  /// kNotFound when there is none.
  Result<> Remove(std::string_view name, const Cancel& cancel);

  /// Makes `name` ("" = the Engine itself) the choice for the Engine with this key; `global`: for
  /// all Engines; `as_default`: what is chosen again when the Engine is.
  Result<> Use(const std::string& key,
               const std::string& name,
               bool global,
               bool as_default,
               const Cancel& cancel);

 private:
  Result<> Change(const std::string& path, const std::string& text, const Cancel& cancel);
  std::string PathOf(std::string_view name) const;

  const std::string folder_;
};

/// Whether buildx takes it for the name of an instance (buildx store/util.go).
bool IsInstanceName(std::string_view name);

}  // namespace depot::builder
