#include "driver/disk/temporary_folder.h"

#include <cerrno>

#include <fcntl.h>
#include <stdlib.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/remove_tree.h"

namespace depot::disk {

Result<TemporaryFolder> TemporaryFolder::Make(const std::string& place) {
  std::string path = Cat(place, "/depot-XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) {
    return Fail(SystemError(Cat("make a folder in ", Printable(place)), errno));
  }
  return TemporaryFolder(std::move(path));
}

TemporaryFolder::~TemporaryFolder() {
  if (!path_.empty()) (void)RemoveTree(AT_FDCWD, path_.c_str());
}

}  // namespace depot::disk
