#include "driver/session/targets.h"

namespace depot::session {

bool CanStartOver(const ExportTarget& target) {
  const auto* stream = std::get_if<std::unique_ptr<StreamTarget>>(&target);
  return stream == nullptr || (*stream)->CanStartOver();
}

}  // namespace depot::session
