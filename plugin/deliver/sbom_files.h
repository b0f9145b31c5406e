#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "driver/session/targets.h"
#include "plugin/deliver/sbom_documents.h"

namespace depot::deliver {

/// The SBOMs of a build that makes no image: an exporter `local` writes each as a file beside the
/// result (BuildKit exporter/local/fs.go), and of all it offers only these are asked for, so that
/// the result itself does not travel. Any thread.
class SbomFiles {
 public:
  /// Where the exporter for plan::DestinationKind::kSbomFiles sends to. *this must outlive it.
  session::TreeTarget Target();

  /// What has arrived; `otherwise` is the platform of what lies in no platform's folder. kNotFound:
  /// nothing.
  Result<std::vector<SbomDocument>> Documents(const Platform& otherwise) const;

 private:
  class Writer;
  Result<> Add(const std::string& path, std::string content);

  mutable std::mutex mutex_;
  std::map<std::string, std::string> files_;  ///< by path
  std::size_t together_ = 0;                  ///< bytes
};

}  // namespace depot::deliver
