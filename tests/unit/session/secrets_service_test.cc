#include <filesystem>

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory_call.h"
#include "proto/session.pb.h"
#include "recording_sink.h"
#include "temporary_directory.h"

#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "driver/session/services.h"

namespace depot::session::secrets_service_test {
namespace {

class SecretsService : public ::testing::Test {
 protected:
  rpc::Status Get(const std::string& id, std::string& data) {
    GetSecretRequest request;
    request.set_id(id);
    std::string wire;
    rpc::Status status = Ask(table_, "/moby.buildkit.secrets.v1.Secrets/GetSecret",
                             request.SerializeAsString(), wire);
    GetSecretResponse response;
    EXPECT_TRUE(response.ParseFromString(wire));
    data = response.data();
    return status;
  }

  TemporaryDirectory directory_;
  RecordingSink sink_;
  Masks masks_;
  Faults faults_;
  rpc::ServiceTable table_;
};

TEST_F(SecretsService, GivesFilesAndValues) {
  directory_.Write("file", std::string("bytes \0\xFF", 8));
  AddSecrets(
      table_,
      MakeSecrets({{"file", directory_ / "file", std::nullopt}, {"value", "", Secret("from env")}},
                  sink_, masks_),
      faults_);
  std::string data;
  EXPECT_TRUE(Get("file", data).ok());
  EXPECT_EQ(data, std::string("bytes \0\xFF", 8));
  EXPECT_TRUE(Get("value", data).ok());
  EXPECT_EQ(data, "from env");
}

TEST_F(SecretsService, ReadsAFileWhenItIsAskedFor) {
  directory_.Write("file", "old");
  AddSecrets(table_, MakeSecrets({{"id", directory_ / "file", std::nullopt}}, sink_, masks_),
             faults_);
  directory_.Write("file", "new");
  std::string data;
  EXPECT_TRUE(Get("id", data).ok());
  EXPECT_EQ(data, "new");
}

TEST_F(SecretsService, RefusesWhatWasNotOfferedAndSaysSoOnce) {
  AddSecrets(table_, MakeSecrets({}, sink_, masks_), faults_);
  std::string data;
  for (int i = 0; i < 2; ++i) {
    rpc::Status status = Get("token\n", data);
    EXPECT_EQ(status.code, rpc::Code::kNotFound);
    EXPECT_EQ(status.message, "secret token?: not found");
  }
  EXPECT_EQ(sink_.notices().size(), 1U);
}

TEST_F(SecretsService, WhatIsAskedForInEveryBuildIsNoNews) {
  AddSecrets(table_, MakeSecrets({}, sink_, masks_), faults_);
  std::string data;
  for (const char* id : {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER", "GIT_AUTH_TOKEN.github.com",
                         "GIT_AUTH_HEADER.github.com", "HTTP_AUTH_TOKEN_example.com"}) {
    EXPECT_EQ(Get(id, data).code, rpc::Code::kNotFound) << id;
  }
  EXPECT_TRUE(sink_.notices().empty());
  Get("GIT_AUTH_TOKENS", data);
  EXPECT_EQ(sink_.notices().size(), 1U);
}

TEST_F(SecretsService, DoesNotCallAVanishedFileNotFound) {
  AddSecrets(table_, MakeSecrets({{"id", directory_ / "gone", std::nullopt}}, sink_, masks_),
             faults_);
  std::string data;
  rpc::Status status = Get("id", data);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code, rpc::Code::kNotFound);
  EXPECT_NE(status.message.find(directory_ / "gone"), std::string::npos) << status.message;
  ASSERT_TRUE(faults_.first());
  EXPECT_EQ(faults_.first()->message(), status.message);
}

TEST_F(SecretsService, RefusesWhatIsTooLarge) {
  directory_.Write("fits", std::string(kMaxSecretSize, 'x'));
  directory_.Write("large", std::string(kMaxSecretSize + 1, 'x'));
  std::vector<SecretSpec> secrets = {{"fits", directory_ / "fits", std::nullopt}};
  EXPECT_TRUE(CheckSecrets(secrets));
  secrets.push_back({"large", directory_ / "large", std::nullopt});
  Result<> checked = CheckSecrets(secrets);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("500 KiB"), std::string::npos);
  EXPECT_FALSE(CheckSecrets({{"value", "", Secret(std::string(kMaxSecretSize + 1, 'x'))}}));
  AddSecrets(table_, MakeSecrets(secrets, sink_, masks_), faults_);
  std::string data;
  EXPECT_TRUE(Get("fits", data).ok());
  EXPECT_EQ(data.size(), kMaxSecretSize);
  EXPECT_EQ(Get("unknown", data).code, rpc::Code::kNotFound);
  EXPECT_FALSE(faults_.first());
  EXPECT_FALSE(Get("large", data).ok());
  EXPECT_TRUE(faults_.first());
}

TEST_F(SecretsService, ChecksFilesBeforeTheBuild) {
  Result<> missing = CheckSecrets({{"id", directory_ / "missing", std::nullopt}});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("secret \"id\""), std::string::npos);
  EXPECT_NE(missing.error().message().find(directory_ / "missing"), std::string::npos);
  EXPECT_FALSE(CheckSecrets({{"id", directory_.path(), std::nullopt}}));
}

TEST_F(SecretsService, KeepsWhatAPipeGave) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  std::vector<SecretSpec> secrets = {{"id", Cat("/dev/fd/", reader.get()), std::nullopt}};
  EXPECT_TRUE(CheckSecrets(secrets));
  ASSERT_EQ(::write(writer.get(), "once", 4), 4);
  writer.Reset();
  AddSecrets(table_, MakeSecrets(secrets, sink_, masks_), faults_);
  std::string data;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Get("id", data).ok());
    EXPECT_EQ(data, "once");
  }
}

TEST_F(SecretsService, SeveralBuildersAndNamesShareWhatAPipeGave) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  ASSERT_EQ(::write(writer.get(), "once", 4), 4);
  writer.Reset();
  const std::string path = Cat("/dev/fd/", reader.get());
  const std::string same = Cat("/proc/self/fd/", reader.get());
  auto secrets = MakeSecrets({{"a", path, std::nullopt}, {"b", same, std::nullopt}}, sink_, masks_);
  AddSecrets(table_, secrets, faults_);
  rpc::ServiceTable other;
  AddSecrets(other, secrets, faults_);
  std::string data;
  EXPECT_TRUE(Get("a", data).ok());
  EXPECT_EQ(data, "once");
  std::swap(table_, other);
  for (const char* id : {"a", "b"}) {
    EXPECT_TRUE(Get(id, data).ok());
    EXPECT_EQ(data, "once");
  }
}

TEST_F(SecretsService, WhoStopsWaitingLeavesWhatHasArrived) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  ASSERT_EQ(::write(writer.get(), "first ", 6), 6);
  AddSecrets(table_,
             MakeSecrets({{"id", Cat("/dev/fd/", reader.get()), std::nullopt}}, sink_, masks_),
             faults_);
  {
    RunningCall running(table_, "/moby.buildkit.secrets.v1.Secrets/GetSecret", {});
    GetSecretRequest request;
    request.set_id("id");
    running.call().Send(request.SerializeAsString());
    int unread = 1;
    while (unread > 0)
      ASSERT_EQ(::ioctl(reader.get(), FIONREAD, &unread), 0);
    running.source().Request(Error(ErrorCode::kCancelled, "stop"));
    EXPECT_FALSE(running.Finish().ok());
  }
  ASSERT_EQ(::write(writer.get(), "rest", 4), 4);
  writer.Reset();
  std::string data;
  EXPECT_TRUE(Get("id", data).ok());
  EXPECT_EQ(data, "first rest");
}

TEST_F(SecretsService, ALinkInTheContextDoesNotLeadOutOfIt) {
  directory_.Write("outside", "of the machine");
  std::filesystem::create_directory(directory_ / "context");
  std::filesystem::create_symlink("../outside", directory_ / "context/link");
  SecretSpec spec{"id", directory_ / "context/link", std::nullopt, directory_ / "context"};
  Result<> checked = CheckSecrets({spec});
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("is a symbolic link to ../outside"), std::string::npos)
      << checked.error().message();
  AddSecrets(table_, MakeSecrets({spec}, sink_, masks_), faults_);
  std::string data;
  EXPECT_FALSE(Get("id", data).ok());
  EXPECT_EQ(data, "");
  // Outside of the sources a link is the user's own.
  std::filesystem::create_symlink("outside", directory_ / "own");
  EXPECT_TRUE(CheckSecrets({{"id", directory_ / "own", std::nullopt, directory_ / "context"}}));
}

TEST_F(SecretsService, StopsWaitingForAPipeWhenCancelled) {
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  AddSecrets(table_, MakeSecrets({{"id", directory_ / "fifo", std::nullopt}}, sink_, masks_),
             faults_);
  RunningCall running(table_, "/moby.buildkit.secrets.v1.Secrets/GetSecret", {});
  GetSecretRequest request;
  request.set_id("id");
  running.call().Send(request.SerializeAsString());
  running.source().Request(Error(ErrorCode::kCancelled, "stop"));
  EXPECT_FALSE(running.Finish().ok());
  EXPECT_FALSE(faults_.first());
}

}  // namespace
}  // namespace depot::session::secrets_service_test
