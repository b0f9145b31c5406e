#include "driver/base/subprocess.h"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/text.h"

extern char** environ;

namespace depot {
namespace {

constexpr std::size_t kMaxOutput = 1 << 20;
constexpr std::size_t kMaxError = 16 << 10;

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return Fail(SystemError("pipe", errno));
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

/// A started child; kills and reaps what is still running when it goes.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    for (int i = 0; i < 100; ++i) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      ::poll(nullptr, 0, 10);
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// The exit code. A child may live on after it has closed its output.
  Result<int> Wait(const Cancel& cancel) {
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(pid_, &status, WNOHANG)) == 0) {
      if (!cancel.SleepFor(std::chrono::milliseconds(1))) return Fail(cancel.error());
    }
    pid_ = -1;
    // With SIGCHLD ignored the kernel reaps, and nobody knows how the child has ended.
    if (ended < 0) return Fail(SystemError("wait for a child process", errno));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

Result<pid_t> Spawn(const std::vector<std::string>& argv,
                    const Pipe& in,
                    const Pipe& out,
                    const Pipe& err) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err.write.get(), 2);
  // The program blocks or ignores signals of its own; the child starts with none of that.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  int error =
      ::posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Fail(SystemError(Cat("run ", argv[0]), error));
  return pid;
}

/// Reads once from `from` into `into`; false at end of file.
bool ReadSome(int from, std::string& into) {
  char buffer[16384];
  ssize_t got = ::read(from, buffer, sizeof buffer);
  if (got <= 0) return got < 0 && (errno == EINTR || errno == EAGAIN);
  into.append(buffer, static_cast<std::size_t>(got));
  return true;
}

/// Writes what the pipe takes; closes it when all is written or the child stopped reading.
void WriteSome(Fd& to, std::string_view& input) {
  ssize_t put = ::write(to.get(), input.data(), input.size());
  if (put > 0) input.remove_prefix(static_cast<std::size_t>(put));
  bool broken = put < 0 && errno != EINTR && errno != EAGAIN;
  if (broken || input.empty()) to.Reset();
}

}  // namespace

Result<SubprocessOutput> RunSubprocess(const std::vector<std::string>& argv,
                                       std::string_view input,
                                       const Cancel& cancel) {
  TRY_ASSIGN(Pipe in, MakePipe());
  TRY_ASSIGN(Pipe out, MakePipe());
  TRY_ASSIGN(Pipe err, MakePipe());
  TRY_ASSIGN(pid_t pid, Spawn(argv, in, out, err));
  Child child(pid);
  in.read.Reset();
  out.write.Reset();
  err.write.Reset();
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  if (input.empty()) in.write.Reset();

  SubprocessOutput output;
  while (out.read.valid() || err.read.valid()) {
    TRY(cancel.Check());
    pollfd fds[4] = {{in.write.get(), POLLOUT, 0},
                     {out.read.get(), POLLIN, 0},
                     {err.read.get(), POLLIN, 0},
                     {cancel.wake_fd(), POLLIN, 0}};
    if (::poll(fds, 4, 100) < 0 && errno != EINTR) return Fail(SystemError("poll", errno));
    if (fds[0].revents != 0) WriteSome(in.write, input);
    if (fds[1].revents != 0 && !ReadSome(out.read.get(), output.standard_output)) out.read.Reset();
    if (fds[2].revents != 0 && !ReadSome(err.read.get(), output.standard_error)) err.read.Reset();
    if (output.standard_output.size() > kMaxOutput) {
      return Fail(ErrorCode::kInvalid, Cat(argv[0], " printed more than 1 MiB"));
    }
    if (output.standard_error.size() > kMaxError) {
      output.standard_error.erase(0, output.standard_error.size() - kMaxError);
    }
  }
  TRY_ASSIGN(output.exit_code, child.Wait(cancel));
  return output;
}

}  // namespace depot
