// Stands before runc in the engines of the rig, since dockerd makes itself the prestart hook of
// every container and every step of a build: 90 MB are loaded and relocated, 0.2 s of CPU and more
// than all the rest of a small step, to tell dockerd the process of the step. Called as runc, this
// names itself as that hook in the bundle's config.json and becomes runc (REAL_RUNC, an absolute
// path); called as the hook, it tells dockerd in the same words.
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr std::string_view kHook = "libnetwork-setkey";

std::string OwnPath() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

// dockerd writes its hook as {"path":"/proc/PID/exe","args":["libnetwork-setkey",...]}. What looks
// otherwise is left alone: dockerd is then started as ever.
bool NameAsHook(std::string& config, const std::string& path) {
  const std::string rest = "/exe\",\"args\":[\"" + std::string(kHook) + '"';
  const size_t end = config.find(rest);
  if (end == std::string::npos) return false;
  size_t begin = end;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(config[begin - 1])))
    --begin;
  constexpr std::string_view kProc = "/proc/";
  if (begin == end || begin < kProc.size()) return false;
  begin -= kProc.size();
  if (config.compare(begin, kProc.size(), kProc) != 0) return false;
  config.replace(begin, end + std::strlen("/exe") - begin, path);
  return true;
}

int BeRunc(char** argv) {
  std::string bundle = ".";
  bool starts = false;
  for (char** word = argv + 1; *word != nullptr; ++word) {
    const std::string_view text = *word;
    starts = starts || text == "create" || text == "run";
    if ((text == "--bundle" || text == "-b") && word[1] != nullptr) bundle = word[1];
  }
  const std::string file = bundle + "/config.json";
  if (std::ifstream in(file); starts && in) {
    std::string config{std::istreambuf_iterator<char>(in), {}};
    if (const std::string own = OwnPath(); !own.empty() && NameAsHook(config, own)) {
      std::ofstream(file, std::ios::trunc) << config;
    }
  }
  execv(REAL_RUNC, argv);
  std::perror(REAL_RUNC);
  return 1;
}

int Fail(const char* what) {
  std::perror(what);
  return 1;
}

// Arguments: -exec-root=FOLDER CONTAINER CONTROLLER; standard input: the container's state, with
// its "pid".
int BeHook(int argc, char** argv) {
  constexpr std::string_view kRoot = "-exec-root=";
  if (argc != 4 || std::string_view(argv[1]).rfind(kRoot, 0) != 0) {
    std::fprintf(stderr, "%s: not the arguments that dockerd gives\n", argv[0]);
    return 1;
  }
  std::string state;
  char part[4096];
  for (ssize_t size; (size = read(STDIN_FILENO, part, sizeof part)) > 0;)
    state.append(part, static_cast<size_t>(size));
  const size_t found = state.find("\"pid\":");
  if (found == std::string::npos) return Fail("no pid in the state");
  const std::string pid =
      std::to_string(std::strtol(state.c_str() + found + std::strlen("\"pid\":"), nullptr, 10));

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket_path =
      std::string(argv[1] + kRoot.size()) + "/libnetwork/" + argv[3] + ".sock";
  if (socket_path.size() >= sizeof address.sun_path) return Fail("the socket's path is too long");
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return Fail(socket_path.c_str());
  const std::string said =
      std::string("{\"ContainerID\":\"") + argv[2] + "\",\"Key\":\"/proc/" + pid + "/ns/net\"}\n";
  if (write(fd, said.data(), said.size()) != static_cast<ssize_t>(said.size()))
    return Fail("write");
  const ssize_t size = read(fd, part, sizeof part);
  if (size > 0 && std::string_view(part, static_cast<size_t>(size)) == "success") return 0;
  std::fprintf(stderr, "dockerd says: %.*s\n", static_cast<int>(size > 0 ? size : 0), part);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  return kHook == argv[0] ? BeHook(argc, argv) : BeRunc(argv);
}
