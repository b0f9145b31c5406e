#include "driver/session/targets.h"

namespace depot::session {

Result<> StartOver(const ExportTarget& target) {
  const auto* stream = std::get_if<std::unique_ptr<StreamTarget>>(&target);
  return stream == nullptr ? Result<>() : (*stream)->StartOver();
}

}  // namespace depot::session
