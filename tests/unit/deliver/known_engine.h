#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/docker/engine.h"

namespace depot::test {

/// An Engine that knows some images, and takes none.
class KnownEngine final : public docker::Engine {
 public:
  Result<docker::EngineInfo> Info(const Cancel&) override { return docker::EngineInfo(); }
  Result<> Load(const std::function<Result<std::size_t>(char*, std::size_t)>&,
                Step&,
                const Cancel&) override {
    return Fail(ErrorCode::kFailed, "nothing is loaded here");
  }
  Result<std::vector<std::string>> Images(const Cancel&) override {
    if (failure_) return Fail(*failure_);
    if (list_failure_) return Fail(*list_failure_);
    std::vector<std::string> ids;
    for (const docker::EngineImage& image : images_)
      ids.push_back(image.id);
    return ids;
  }
  Result<docker::EngineImage> Image(const std::string& name, const Cancel&) override {
    ++asked_;
    if (failure_) return Fail(*failure_);
    for (const docker::EngineImage& image : images_)
      if (image.id == name) return image;
    return Fail(ErrorCode::kNotFound, "no such image");
  }
  Result<> Remove(const std::string&, const Cancel&) override { return {}; }
  Result<std::string> Push(const std::string&,
                           const std::optional<registry::Credential>&,
                           EventSink&,
                           const Cancel&) override {
    return "";
  }
  Result<> Pull(const std::string&,
                const std::optional<Platform>&,
                const std::optional<registry::Credential>&,
                EventSink&,
                const Cancel&) override {
    return {};
  }
  Result<> Tag(const std::string&, const std::string&, const Cancel&) override { return {}; }

  std::vector<docker::EngineImage> images_;
  int asked_ = 0;                      ///< so many images
  std::optional<Error> failure_;       ///< of every question
  std::optional<Error> list_failure_;  ///< of Images()
};

}  // namespace depot::test
