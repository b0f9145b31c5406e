#include "driver/solve/solve_error.h"

#include <gtest/gtest.h>

#include "proto/gateway.pb.h"

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot::solve::solve_error_test {
namespace {

/// Without a step that failed.
Error SolveError(const rpc::Status& status) {
  struct Nobody final : EventSink {
    void Emit(Event /*event*/) override {}
  } nobody;
  return solve::SolveError(status, StepNames(nobody));
}

rpc::Status WithSource(const std::string& json) {
  moby::buildkit::v1::frontend::Status status;
  auto* stack = status.add_details();
  stack->set_type_url("github.com/moby/buildkit/stack.Stack+json");
  stack->set_value("{}");
  auto* source = status.add_details();
  source->set_type_url("github.com/moby/buildkit/errdefs.Source+json");
  source->set_value(json);
  return {rpc::Code::kUnknown, "it broke", status.SerializeAsString()};
}

TEST(SolveError, ShowsTheDockerfileLines) {
  std::string dockerfile = "FROM a\nRUN b\nRUN c\nRUN d\nRUN e\n";
  Error error =
      SolveError(WithSource(Cat(R"({"info":{"filename":"Dockerfile","data":")", Base64(dockerfile),
                                R"("},"ranges":[{"start":{"line":3},"end":{"line":3}}]})")));
  EXPECT_EQ(error.message(), "build failed: it broke");
  EXPECT_EQ(error.excerpt(),
            "Dockerfile:3\n"
            "--------------------\n"
            "   1 |     FROM a\n"
            "   2 |     RUN b\n"
            "   3 | >>> RUN c\n"
            "   4 |     RUN d\n"
            "   5 |     RUN e\n"
            "--------------------\n");
}

TEST(SolveError, ATextThatIsNoUtf8CostsNoDetails) {
  moby::buildkit::v1::frontend::Status status;
  status.set_message("caf\xe9");
  for (const char* type : {"\xff", "github.com/moby/buildkit/gatewayapi.ExitMessage+json"}) {
    auto* detail = status.add_details();
    detail->set_type_url(type);
    detail->set_value(R"({"Code":7})");
  }
  EXPECT_EQ(SolveError({rpc::Code::kUnknown, "x", status.SerializeAsString()}).step_exit(), 7);
}

TEST(SolveError, HostileDetailsAreSkipped) {
  for (const std::string& json :
       {std::string("{"), std::string(R"({"ranges":[{"start":{"line":-5}}]})"),
        std::string(R"({"info":{"data":"!!!"},"ranges":[{"start":{"line":999999999999}}]})"),
        std::string(10000, '[')}) {
    EXPECT_EQ(SolveError(WithSource(json)).excerpt(), "") << json.substr(0, 50);
  }
  EXPECT_EQ(SolveError({rpc::Code::kUnknown, "x", "not a protobuf \xff"}).excerpt(), "");
}

TEST(SolveError, KeepsWhatTheUserUnderstandsAndSaysWhatToDo) {
  Error missing = SolveError({rpc::Code::kUnknown,
                              "failed to compute cache key: failed to calculate checksum of ref "
                              "abc::def: \"/hello.txt\": not found",
                              ""});
  EXPECT_EQ(missing.message(), "build failed: \"/hello.txt\": not found");
  EXPECT_NE(missing.hint().find(".dockerignore"), std::string::npos);
  Error large = SolveError({rpc::Code::kResourceExhausted,
                            "grpc: received message larger than max (8202262 vs. 4194304)", ""});
  EXPECT_NE(large.message().find("4194304"), std::string::npos);
  EXPECT_NE(large.hint().find("a limit of the builder"), std::string::npos);
  EXPECT_EQ(large.at(), FailedAt::kUnsaid);
  Error refused = SolveError({rpc::Code::kUnknown, "failed to push r: 401 Unauthorized", ""});
  EXPECT_NE(refused.hint().find("docker login"), std::string::npos);
}

TEST(SolveError, NamesTheStepAndItsExitCode) {
  struct Nobody final : EventSink {
    void Emit(Event /*event*/) override {}
  } nobody;
  StepNames names(nobody);
  auto ended = [&names](std::string digest, std::string name, std::string error) {
    Vertex vertex;
    vertex.digest = std::move(digest);
    vertex.name = std::move(name);
    vertex.error = std::move(error);
    names.Emit(vertex);
  };
  ended("sha256:a", "[1/2] RUN a", "");
  ended("sha256:b", "[2/2] RUN \x1b[2J b", "it broke");
  ended("sha256:c", "[other] RUN c", "it broke, too");
  ended("sha256:d", "[third] RUN d", "context canceled");
  moby::buildkit::v1::frontend::Status status;
  auto* vertex = status.add_details();
  vertex->set_type_url("github.com/moby/buildkit/errdefs.Vertex+json");
  vertex->set_value(R"({"digest":"sha256:b"})");
  auto* exit = status.add_details();
  exit->set_type_url("github.com/moby/buildkit/gatewayapi.ExitMessage+json");
  exit->set_value(R"({"Code":7})");
  Error error =
      solve::SolveError({rpc::Code::kUnknown, "it broke", status.SerializeAsString()}, names);
  EXPECT_EQ(error.place().step, "[2/2] RUN ?[2J b");
  EXPECT_EQ(error.step_exit(), 7);
  EXPECT_EQ(names.FailedStep("sha256:a"), "") << "two steps failed";
  EXPECT_EQ(names.FailedStep("sha256:d"), "");
}

TEST(SolveError, AnExitCodeThatIsNoneIsNotPassedOn) {
  auto exit = [](const char* text) {
    return SolveError({rpc::Code::kUnknown, text, ""}).step_exit();
  };
  EXPECT_EQ(exit("process \"x\" did not complete successfully: exit code: 42"), 42);
  EXPECT_EQ(exit("did not complete successfully: exit code: 42: no such thing"), 42);
  EXPECT_EQ(exit("executor failed running [/bin/sh -c x]: exit code: 42"), 42);
  for (const char* text : {"did not complete successfully: exit code: 4294967295",
                           "did not complete successfully: exit code: 0",
                           "did not complete successfully: exit code: 256",
                           "did not complete successfully: exit code: x", "exit code: 3"}) {
    EXPECT_EQ(exit(text), 0) << text;
  }
}

TEST(SolveError, SaysWhereItFailedForTheExitCode) {
  auto at = [](rpc::Code code, const char* text) { return SolveError({code, text, ""}).at(); };
  EXPECT_EQ(at(rpc::Code::kInternal, "read /x: input/output error"), FailedAt::kDefect);
  EXPECT_EQ(at(rpc::Code::kResourceExhausted, "it is full"), FailedAt::kResources);
  EXPECT_EQ(at(rpc::Code::kUnknown, "failed to push r: 401 Unauthorized"),
            FailedAt::kAuthentication);
  EXPECT_EQ(at(rpc::Code::kUnknown, "failed to push r: 500"), FailedAt::kRegistry);
  EXPECT_EQ(at(rpc::Code::kUnknown, "exit code: 1"), FailedAt::kUnsaid);
}

TEST(SolveError, KeepsTheBuildersOwnWords) {
  const char* text =
      "failed to solve: failed to compute cache key: failed to calculate checksum of ref a::b: "
      "\"/x\": not found";
  EXPECT_EQ(SolveError({rpc::Code::kUnknown, text, ""}).original(), text);
  EXPECT_EQ(SolveError({rpc::Code::kUnknown, "it broke", ""}).original(), "");
}

TEST(SolveError, NoControlCharactersAndNoTokensReachTheUser) {
  Error error =
      SolveError({rpc::Code::kUnknown, "\x1b]0;x\x07 https://user:tok@host/x failed", ""});
  EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
  EXPECT_EQ(error.message().find("tok@"), std::string::npos);
}

TEST(SolveError, TheHintFitsThePlaceNotTheWords) {
  auto hint = [](const char* text) { return SolveError({rpc::Code::kUnknown, text, ""}).hint(); };
  EXPECT_NE(hint("failed to read dockerfile: open Dockerfile: no such file or directory"), "");
  for (const char* text :
       {"process \"/bin/sh -c cat /x\" did not complete: open /x: no such file or directory",
        "exec: \"/nope\": stat /nope: no such file or directory", "stage \"x\": not found"}) {
    EXPECT_EQ(hint(text).find(".dockerignore"), std::string::npos) << text;
  }
}

TEST(SolveError, WhatWeSaidOurselvesIsNotShownUnderItsCode) {
  EXPECT_EQ(
      SolveError({rpc::Code::kUnimplemented, "Unimplemented: this builder is old", ""}).message(),
      "build failed: this builder is old");
}

TEST(SolveError, ThePathOfTheTextThroughTheTransportIsNotShown) {
  Error error = SolveError(
      {rpc::Code::kUnknown,
       "failed to export: rpc error: code = Unknown desc = error: rpc error: code = 3 desc = x",
       ""});
  EXPECT_EQ(error.message(), "build failed: failed to export: error: x");
}

}  // namespace
}  // namespace depot::solve::solve_error_test
