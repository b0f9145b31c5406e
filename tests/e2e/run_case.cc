// run_case SOCKET CASE: has the server of case_server.py run one end-to-end case in this process's
// folder, environment and standard streams; ends as the case does. Other than python it starts in a
// millisecond.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

int Fail(const char* what) {
  std::perror(what);
  return 1;
}

// With the standard streams; true when the first byte, and they with it, went out.
bool SendStreams(int fd, std::string_view first) {
  constexpr int kStreams[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof kStreams)] = {};
  iovec part{const_cast<char*>(first.data()), first.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof kStreams);
  std::memcpy(CMSG_DATA(header), kStreams, sizeof kStreams);
  return sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(first.size());
}

bool SendAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_un address{};
  if (argc != 3 || std::strlen(argv[1]) >= sizeof address.sun_path) {
    std::fprintf(stderr, "usage: run_case SOCKET CASE\n");
    return 1;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, argv[1], std::strlen(argv[1]));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return Fail(argv[1]);
  std::string words = std::filesystem::current_path().string() + '\0' + argv[2] + '\0';
  for (char** variable = environ; *variable != nullptr; ++variable)
    words.append(*variable).push_back('\0');
  if (!SendStreams(fd, std::string_view(words).substr(0, 1)) ||
      !SendAll(fd, std::string_view(words).substr(1))) {
    return Fail("the case server");
  }
  shutdown(fd, SHUT_WR);
  unsigned char code = 1;
  if (read(fd, &code, 1) == 1) return code;
  std::fprintf(stderr, "the case server has ended before the case\n");
  return 1;
}
