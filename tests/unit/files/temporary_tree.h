#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/files/tree.h"

namespace depot::files {

/// A directory of the test's own, removed with everything in it.
class TemporaryTree {
 public:
  TemporaryTree() {
    std::string name = (std::filesystem::temp_directory_path() / "depot-files-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
  }
  TemporaryTree(const TemporaryTree&) = delete;
  TemporaryTree& operator=(const TemporaryTree&) = delete;
  ~TemporaryTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  const std::string& root() const { return root_; }
  std::string At(const std::string& path) const { return root_ + "/" + path; }

  void File(const std::string& path, const std::string& content = "x") const {
    Parents(path);
    std::ofstream(At(path), std::ios::binary) << content;
  }
  void Directory(const std::string& path) const { std::filesystem::create_directories(At(path)); }
  void Symlink(const std::string& path, const std::string& target) const {
    Parents(path);
    if (symlink(target.c_str(), At(path).c_str()) != 0) std::abort();
  }
  void HardLink(const std::string& path, const std::string& existing) const {
    Parents(path);
    if (link(At(existing).c_str(), At(path).c_str()) != 0) std::abort();
  }

  std::string Read(const std::string& path) const {
    std::ifstream in(At(path), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  bool Exists(const std::string& path) const {
    struct stat st;
    return lstat(At(path).c_str(), &st) == 0;
  }
  struct stat Stat(const std::string& path) const {
    struct stat st {};
    if (lstat(At(path).c_str(), &st) != 0) st.st_mode = 0;
    return st;
  }
  std::vector<std::string> Names(const std::string& path = ".") const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(At(path))) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

 private:
  void Parents(const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(At(path)).parent_path());
  }

  std::string root_;
};

inline std::string ReadFd(const Fd& fd) {
  std::string content;
  char buffer[4096];
  for (ssize_t got; (got = read(fd.get(), buffer, sizeof buffer)) > 0;) {
    content.append(buffer, static_cast<std::size_t>(got));
  }
  return content;
}

}  // namespace depot::files
