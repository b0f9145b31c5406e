#include "driver/base/subprocess.h"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
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

/// A started child; kills and reaps what is still running when it goes. One thread at a time.
class RunningChild {
 public:
  /// `leads`: it was started with a session of its own, and all of that is killed.
  explicit RunningChild(pid_t pid, bool leads = false) : pid_(pid), leads_(leads) {}
  RunningChild(const RunningChild&) = delete;
  RunningChild& operator=(const RunningChild&) = delete;
  ~RunningChild() {
    if (pid_ <= 0) return;
    Signal(SIGTERM);
    for (int i = 0; i < 100; ++i) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      ::poll(nullptr, 0, 10);
    }
    Signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// The exit code; nullopt while it runs.
  Result<std::optional<int>> Ended() {
    int status = 0;
    pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0) return std::nullopt;
    pid_ = -1;
    // With SIGCHLD ignored the kernel reaps, and nobody knows how the child has ended.
    if (ended < 0) return Fail(SystemError("wait for a child process", errno));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  /// The exit code. A child may live on after it has closed its output.
  Result<int> Wait(const Cancel& cancel) {
    while (true) {
      TRY_ASSIGN(std::optional<int> code, Ended());
      if (code) return *code;
      if (!cancel.SleepFor(std::chrono::milliseconds(1))) return Fail(cancel.error());
    }
  }

 private:
  void Signal(int number) const { ::kill(leads_ ? -pid_ : pid_, number); }

  pid_t pid_;
  bool leads_;
};

/// What a child gets as its standard input, output and error.
struct StandardFds {
  int in;
  int out;
  int err;
};

Result<pid_t> Spawn(const std::vector<std::string>& argv, StandardFds fds, bool leads = false) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, fds.in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, fds.out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, fds.err, 2);
  // The program blocks or ignores signals of its own; the child starts with none of that.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (leads ? POSIX_SPAWN_SETSID : 0);
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
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

void KeepLast(std::string& text, std::size_t count) {
  if (text.size() > count) text.erase(0, text.size() - count);
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
  TRY_ASSIGN(pid_t pid, Spawn(argv, {in.read.get(), out.write.get(), err.write.get()}));
  RunningChild child(pid);
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
    KeepLast(output.standard_error, kMaxError);
  }
  TRY_ASSIGN(output.exit_code, child.Wait(cancel));
  return output;
}

class ChildProcess::Child : public RunningChild {
 public:
  using RunningChild::RunningChild;
};

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::vector<std::string>& argv) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return Fail(SystemError("make a socket", errno));
  }
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  TRY_ASSIGN(Pipe err, MakePipe());
  TRY_ASSIGN(pid_t pid, Spawn(argv, {theirs.get(), theirs.get(), err.write.get()}, true));
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, std::move(ours), std::move(err.read)));
}

ChildProcess::ChildProcess(pid_t pid, Fd socket, Fd standard_error)
    : child_(std::make_unique<Child>(pid, true)),
      socket_(std::move(socket)),
      error_(std::move(standard_error)) {
  threads_.Start("child-stderr", [this](const Cancel& cancel) { return ReadErrors(cancel); });
}

ChildProcess::~ChildProcess() = default;

/// Read at all times, so that the child never waits for us to do it.
Result<> ChildProcess::ReadErrors(const Cancel& cancel) {
  bool more = true;
  while (more) {
    TRY(WaitForFd(error_.get(), POLLIN, cancel));
    std::string text;
    more = ReadSome(error_.get(), text);
    std::lock_guard lock(mutex_);
    state_.standard_error += text;
    KeepLast(state_.standard_error, kMaxError);
    error_ended_ = !more;
    changed_.notify_all();
  }
  return {};
}

ChildState ChildProcess::Wait(const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  while (!state_.exit_code) {
    Result<std::optional<int>> ended = child_->Ended();
    state_.exit_code = ended ? *ended : std::optional<int>(255);
    if (state_.exit_code) break;
    lock.unlock();
    bool go_on = cancel.SleepFor(std::chrono::milliseconds(1));
    lock.lock();
    if (!go_on) return state_;
  }
  cancel.Wait(lock, changed_, [&] { return error_ended_; });
  return state_;
}

}  // namespace depot
