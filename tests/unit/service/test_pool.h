#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/http/client.h"
#include "pool/identity/authority.h"
#include "pool/identity/identity.h"
#include "pool/service/pool_server.h"
#include "pool/settings/settings.h"
#include "tests/unit/rpc/loopback.h"

namespace depot::service {

/// What a call came to: the message, or a Connect error.
template <typename Message>
struct Outcome {
  std::string code = "ok";
  std::string text;
  Message message;
  std::string queue;   ///< of the response's Depot-Pool-Queue
  std::string reason;  ///< of its Depot-Pool-Reason
  std::string barred;  ///< of its Depot-Pool-Barred
};

/// A real pool on loopback over plain HTTP, with projects one and two, users ada (both) and bob
/// (two), and one builder of one slot that takes connections and says nothing.
class PoolServerTest : public ::testing::Test {
 protected:
  PoolServerTest() {
    std::filesystem::create_directories(folder_ / "state");
    auto authority = identity::OpenAuthority((folder_ / "state").string());
    EXPECT_TRUE(authority);
    Write("builders.pem", (*authority)->certificate_pem());
    Write("password", "hunter2\n");
    WriteSettings("");
    Start();
  }
  ~PoolServerTest() override {
    pool_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  std::string SettingsFile() const { return (folder_ / "pool.yaml").string(); }

  void WriteSettings(const std::string& more) {
    Write("pool.yaml.new",
          Cat("listen: 127.0.0.1:0\nurl: http://127.0.0.1:1\nstate: state\n"
              "projects:\n"
              "  - {id: one, name: The One, save: {repository: \"reg.example:5000/saved\","
              " username: u, password_file: password}}\n"
              "  - {id: two}\n"
              "users:\n  - {name: ada, projects: [one, two]}\n  - {name: bob, projects: [two]}\n"
              "builders:\n  - {name: first, platform: linux/amd64, endpoint: \"tcp://127.0.0.1:",
              builder_port_, "\", server_name: b, ca: builders.pem}\n", more));
    std::filesystem::rename(folder_ / "pool.yaml.new", SettingsFile());
  }

  void Start() {
    pool_.reset();
    PoolOptions options;
    options.settings_file = SettingsFile();
    options.version = "test";
    options.audit = [this](const std::string& line) { Keep(audit_, line); };
    options.log = [this](const std::string& line) { Keep(log_, line); };
    auto pool = StartPool(std::move(options));
    ASSERT_TRUE(pool) << pool.error().message();
    pool_ = *std::move(pool);
    url_ = Cat("http://127.0.0.1:", pool_->port());
  }

  void Keep(std::string& where, const std::string& line) {
    std::lock_guard lock(mutex_);
    where += line;
  }
  std::string audit() {
    std::lock_guard lock(mutex_);
    return audit_;
  }
  std::string log() {
    std::lock_guard lock(mutex_);
    return log_;
  }

  /// A token that counts from now on.
  std::string Token(const std::string& project, const std::string& user, std::int64_t expires = 0) {
    Secret token = identity::NewToken("test");
    settings::TokenRecord record;
    record.id = Hex(RandomBytes(4));
    record.sha256 = identity::TokenHash(token);
    record.project = project;
    record.user = user;
    record.created_at = 1;
    record.expires_at = expires;
    Result<> added = settings::AddTokenRecord(SettingsFile(), record);
    EXPECT_TRUE(added) << added.error().message();
    last_token_id_ = record.id;
    return std::string(token.Reveal());
  }

  http::Response Send(http::Request request) {
    request.transport.use_proxy = false;
    auto response = client_->Send(
        request, Cancel::Never().WithTimeout(std::chrono::seconds(60), "the pool's answer"));
    EXPECT_TRUE(response) << response.error().message();
    return response ? *std::move(response) : http::Response();
  }

  http::Response Get(const std::string& path) {
    http::Request request;
    request.url = url_ + path;
    return Send(std::move(request));
  }

  http::Response Post(const std::string& path,
                      const std::string& token,
                      std::string body,
                      const std::string& type = "application/proto") {
    http::Request request;
    request.method = "POST";
    request.url = url_ + path;
    request.headers = {{"Content-Type", type}, {"Connect-Protocol-Version", "1"}};
    if (!token.empty()) request.bearer = Secret(token);
    request.body = Secret(std::move(body));
    return Send(std::move(request));
  }

  template <typename Response, typename Request>
  Outcome<Response> Call(const std::string& method,
                         const std::string& token,
                         const Request& request) {
    http::Response answer = Post("/depot.cli." + method, token, request.SerializeAsString());
    Outcome<Response> outcome;
    outcome.queue = answer.Header("depot-pool-queue");
    outcome.reason = answer.Header("depot-pool-reason");
    outcome.barred = answer.Header("depot-pool-barred");
    if (answer.status == 200) {
      EXPECT_TRUE(outcome.message.ParseFromString(answer.body));
      return outcome;
    }
    auto error = Json::Parse(answer.body);
    EXPECT_TRUE(error) << answer.status << answer.body;
    if (error) outcome.code = (*error)["code"].AsString();
    if (error) outcome.text = (*error)["message"].AsString();
    return outcome;
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / Cat("depot-pool-", RandomId());
  test::Listener builder_{64};
  std::uint16_t builder_port_ = builder_.port();
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test", std::chrono::seconds(5), {});
  std::mutex mutex_;
  std::string audit_;
  std::string log_;
  std::string last_token_id_;
  std::unique_ptr<PoolServer> pool_;
  std::string url_;
};

}  // namespace depot::service
