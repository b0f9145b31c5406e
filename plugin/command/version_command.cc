#include "plugin/command/version_command.h"

#include "driver/base/text.h"

namespace depot::command {

Result<> RunVersion(const Call& call) {
  return call.terminal.WriteResult(Cat("docker-depot ", call.version, '\n'), call.cancel);
}

}  // namespace depot::command
