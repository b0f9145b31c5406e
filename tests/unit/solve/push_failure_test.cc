#include "driver/solve/push_failure.h"

#include <gtest/gtest.h>

namespace depot::solve::push_failure_test {
namespace {

BuildRequest Pushing() {
  BuildRequest request;
  request.exporters.push_back({"image", {{"name", "r.example/a"}, {"push", "true"}}});
  return request;
}

bool MayPass(const std::string& why, rpc::Code code = rpc::Code::kUnknown) {
  return PushMayPass({code, "failed to push r.example/a:1: " + why, "", true}, Pushing());
}

TEST(PushFailure, ABusyOrLostRegistryMayPass) {
  for (const char* why : {
           "unexpected status from PUT request to https://r.example/v2/a/blobs/uploads/x: 503 "
           "Service Unavailable",
           "failed to copy: unexpected status from POST request to https://r.example/v2/: 500 "
           "Internal Server Error",
           "failed to do request: Put \"https://r.example/v2/\": read tcp "
           "10.0.0.1:1->10.0.0.2:443: "
           "read: connection reset by peer",
           "failed to do request: Head \"https://r.example/v2/\": dial tcp 10.0.0.2:443: connect: "
           "connection refused",
           "failed to do request: Head \"https://r.example/v2/\": EOF",
           "failed to authorize: failed to fetch oauth token: rpc error: code = Unavailable desc = "
           "the token server https://a.example failed: status 502 Bad Gateway",
           "429 Too Many Requests - Server message: toomanyrequests",
           "unexpected status from POST request to https://r.example:500/v2/: 429 ",
           "unexpected status from POST request to https://r.example/v2/: 500 Nope",
       }) {
    EXPECT_TRUE(MayPass(why)) << why;
  }
}

TEST(PushFailure, ALayerThatTwoExportsWroteMayPass) {
  const std::string seen =
      "failed to commit oi1v9ef4eox89zv6x4gptcb60 to wm99jpflslub37p8cnllslx9y during finalize: "
      "failed to stat active key during commit: snapshot oi1v9ef4eox89zv6x4gptcb60 does not exist: "
      "not found";
  EXPECT_TRUE(LayerWasTaken({rpc::Code::kUnknown, seen, "", true}));
  EXPECT_FALSE(LayerWasTaken({rpc::Code::kUnknown, seen, "", false}));
  EXPECT_FALSE(LayerWasTaken({rpc::Code::kUnknown, "failed to commit: disk full", "", true}));
}

TEST(PushFailure, AFolderThatAKilledDaemonLeft) {
  const std::string seen =
      "failed to prepare sha256:4d843f as ic1brzg9y: failed to rename: rename "
      "/var/lib/docker/snapshots/new-3414013636 /var/lib/docker/snapshots/11: file exists";
  EXPECT_TRUE(SnapshotWasLeft({rpc::Code::kUnknown, seen, "", true}));
  EXPECT_FALSE(SnapshotWasLeft({rpc::Code::kUnknown, seen, "", false}));
  EXPECT_FALSE(SnapshotWasLeft(
      {rpc::Code::kUnknown, "failed to rename: rename /a /b: file exists", "", true}));
}

TEST(PushFailure, ATokenThatExpiresDuringAnUploadMayPass) {
  EXPECT_TRUE(
      MayPass("failed commit on ref \"config-sha256:1\": unexpected status from PUT request "
              "to https://r.example/v2/a/blobs/uploads/x: 401 Unauthorized"));
  EXPECT_TRUE(
      MayPass("failed commit on ref \"layer-sha256:1\": unexpected status: 401 Unauthorized"));
  EXPECT_FALSE(
      MayPass("failed commit on ref \"layer-sha256:1\": unexpected status: 403 Forbidden"));
}

TEST(PushFailure, TheCodeDecidesWhereItSaysSo) {
  EXPECT_TRUE(MayPass("the registry is asleep", rpc::Code::kUnavailable));
  EXPECT_FALSE(MayPass("the registry is asleep"));
}

TEST(PushFailure, AVerdictStays) {
  for (const char* why : {
           "unexpected status from POST request to https://r.example/v2/a/blobs/uploads/: 401 "
           "Unauthorized",
           "unexpected status from HEAD request to https://r.example/v2/a/blobs/x: 403 Forbidden",
           "denied: requested access to the resource is denied",
           "server message: insufficient_scope: authorization failed",
           "unexpected status from PUT request to https://r.example/v2/: 413 Request Entity Too "
           "Large",
           "unexpected status from PUT request to https://r.example/v2/: 400 Bad Request",
           "unexpected status from POST request to https://r.example/v2/: 401 ",
           "unexpected status from POST request to https://r.example/v2/: 403 Nope: 503",
           "failed to do request: x509: certificate signed by unknown authority",
           "failed to do request: dial tcp: lookup r.example: no such host",
       }) {
    EXPECT_FALSE(MayPass(why)) << why;
    EXPECT_FALSE(MayPass(why, rpc::Code::kUnavailable)) << why;
  }
}

TEST(PushFailure, WhatIsNoPushIsNone) {
  const rpc::Status pull = {rpc::Code::kUnavailable,
                            "failed to resolve source metadata for r.example/b: 503 Service "
                            "Unavailable",
                            "", true};
  EXPECT_FALSE(PushMayPass(pull, Pushing()));
  const rpc::Status push = {rpc::Code::kUnknown, "failed to push r.example/a: EOF: EOF", "", true};
  EXPECT_TRUE(PushMayPass(push, Pushing()));
  EXPECT_FALSE(PushMayPass(push, BuildRequest())) << "a step that prints it";
  EXPECT_FALSE(PushMayPass({push.code, push.message, "", false}, Pushing()))
      << "not the builder's own word";
}

}  // namespace
}  // namespace depot::solve::push_failure_test
