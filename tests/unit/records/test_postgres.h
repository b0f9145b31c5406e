#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "pool/records/postgres_link.h"
#include "pool/records/postgres_store.h"

namespace depot::records {

/// A PostgreSQL of this process's own, started when it is first asked for and gone with the
/// process.
class TestPostgres {
 public:
  static TestPostgres& Get() {
    static TestPostgres server;
    return server;
  }

  /// The server without anything in it.
  PostgresPlace Empty() {
    auto link = Connect();
    EXPECT_TRUE((*link)->Run("DROP SCHEMA public CASCADE", {}));
    EXPECT_TRUE((*link)->Run("CREATE SCHEMA public", {}));
    return place();
  }

  PostgresPlace place() const {
    return {Cat("postgresql://pool@/postgres?host=", folder_.string()), Secret()};
  }

  /// Stops it, until Thaw(): it takes connections and answers nothing.
  void Freeze() const { SignalAll(SIGSTOP); }
  void Thaw() const { SignalAll(SIGCONT); }

  /// Ends it at once, and starts it again.
  void End() {
    ::kill(process_, SIGQUIT);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  void Start() {
    process_ = ::fork();
    if (process_ == 0) {
      ::execl(DEPOT_TEST_POSTGRES, "postgres", folder_.c_str(), nullptr);
      ::_exit(127);
    }
    ASSERT_TRUE(Connect()) << "there is no PostgreSQL";
  }

 private:
  TestPostgres() {
    std::filesystem::create_directory(folder_);
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    Start();
  }
  ~TestPostgres() {
    if (process_ != 0) End();
    std::filesystem::remove_all(folder_);
  }

  /// The server and its processes, each of which has a session of its own.
  void SignalAll(int signal) const {
    std::ifstream children(Cat("/proc/", process_, "/task/", process_, "/children"));
    ::kill(process_, signal);
    for (pid_t child = 0; children >> child;)
      ::kill(child, signal);
  }

  Result<std::unique_ptr<PostgresLink>> Connect() {
    for (int i = 0;; ++i) {
      auto link = PostgresLink::Connect(place());
      if (link || i == 600) return link;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / Cat("depot-postgres-", RandomId().substr(0, 12));
  pid_t process_ = 0;
};

}  // namespace depot::records
