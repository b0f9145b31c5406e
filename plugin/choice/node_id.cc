#include "plugin/choice/node_id.h"

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/builder/instances.h"
#include "driver/disk/read_file.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"

namespace depot::choice {

std::string NodeId(const Secret& secret,
                   const Environment& environment,
                   const std::string& config_directory) {
  if (!secret.empty()) {
    std::string project = Variable(environment, "CI_PROJECT_PATH");
    char host[256] = "";
    if (project.empty()) ::gethostname(host, sizeof host - 1);
    return Sha256Hex(Cat("context owner\n", secret.Reveal(), '\n', project, '\n', host))
        .substr(0, 16);
  }
  const std::string directory = builder::BuildxFolder(environment, config_directory);
  std::string path = directory + "/.buildNodeID";
  if (Result<std::string> known = disk::ReadWholeFile(path, 1024, Cancel::Never());
      known && !Trim(*known).empty()) {
    return std::string(Trim(*known));
  }
  std::string fresh = Hex(RandomBytes(8));
  // A read-only home is no reason not to build: the next build then just sends its context again.
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  if (disk::WriteWholeFile(path, fresh)) ::chmod(path.c_str(), 0600);
  return fresh;
}

}  // namespace depot::choice
