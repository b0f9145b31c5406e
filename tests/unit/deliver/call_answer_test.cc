#include "plugin/deliver/call_answer.h"

#include <gtest/gtest.h>

namespace depot::deliver::call_answer_test {
namespace {

using Metadata = std::map<std::string, std::string>;
using options::FrontendCall;

const FrontendCall kLint{"lint", false, false};

CallAnswer Shown(const FrontendCall& call,
                 const Metadata& metadata,
                 const std::string& dockerfile = "") {
  auto answer = ShowAnswer(call, metadata, dockerfile);
  if (answer) return *std::move(answer);
  ADD_FAILURE() << answer.error().message();
  return {};
}

TEST(CallAnswer, TextForPeopleAndJsonForPrograms) {
  const Metadata metadata = {{"result.json", "{\n  \"a\": 1\n}"}, {"result.txt", "A 1\n\nB 2\n"}};
  EXPECT_EQ(Shown({"outline", false, false}, metadata).text, "A 1\n\nB 2\n");
  EXPECT_EQ(Shown({"outline", true, false}, metadata).text, "{\n  \"a\": 1\n}\n");
  EXPECT_EQ(Shown({"x", false, false}, {{"result.json", "[]"}}).text, "[]\n");
  // As a builder answers where there is nothing to list.
  EXPECT_EQ(Shown({"outline", false, false}, {{"result.json", "{}"}, {"result.txt", ""}}).text,
            "The target takes no build argument, secret, SSH agent or cache.\n");
  EXPECT_FALSE(ShowAnswer({"outline", false, false}, {}, ""));
  EXPECT_FALSE(ShowAnswer({"outline", true, false}, {{"result.txt", "x"}}, ""));
  EXPECT_FALSE(ShowAnswer({"outline", true, false}, {{"result.json", "{"}}, ""));
}

TEST(CallAnswer, LintCountsItsWarnings) {
  const std::string one = R"({"warnings":[{"ruleName":"R"}]})";
  const std::string text = "\nWARNING: R\nwhy\n";
  CallAnswer answer =
      Shown(kLint, {{"result.json", one}, {"result.txt", text}, {"result.statuscode", "1"}});
  EXPECT_EQ(answer.text, "Check complete, 1 warning has been found!\n\nWARNING: R\nwhy\n");
  EXPECT_EQ(answer.warnings, 1u);
  ASSERT_TRUE(answer.failure);
  EXPECT_EQ(answer.failure->message(), "the check found 1 warning");
  EXPECT_FALSE(Shown({"lint", false, true},
                     {{"result.json", one}, {"result.txt", text}, {"result.statuscode", "1"}})
                   .failure);
  answer = Shown(kLint, {{"result.json", R"({"warnings":null})"}, {"result.statuscode", "0"}});
  EXPECT_EQ(answer.text, "Check complete, no warnings found.\n");
  EXPECT_FALSE(answer.failure);
}

TEST(CallAnswer, TheDockerfileHasTheNameThatTheUserKnows) {
  const CallAnswer answer = Shown(
      kLint,
      {{"result.json", R"({"warnings":[{}],"sources":[{"filename":"Dockerfile"}]})"},
       {"result.txt", "\nWARNING: R\nDockerfile:1x\nDockerfile:12\n---\n  12 | Dockerfile:12\n"}},
      "sub/Dockerfile");
  EXPECT_NE(answer.text.find("R\nDockerfile:1x\nsub/Dockerfile:12\n---\n  12 | Dockerfile:12\n"),
            std::string::npos)
      << answer.text;
}

TEST(CallAnswer, AnErrorOfTheDockerfileIsOneOfOurs) {
  const Metadata metadata = {
      {"result.json",
       R"({"warnings":[],"sources":[{"filename":"Dockerfile","data":"Rk9STSB4Cg=="}],)"
       R"("buildError":{"message":"unknown instruction: FORM",)"
       R"("location":{"ranges":[{"start":{"line":1},"end":{"line":1}}]}}})"},
      {"result.statuscode", "1"}};
  const CallAnswer answer = Shown(kLint, metadata);
  EXPECT_EQ(answer.text, "");
  EXPECT_TRUE(answer.broken);
  ASSERT_TRUE(answer.failure);
  EXPECT_EQ(answer.failure->message(), "unknown instruction: FORM");
  EXPECT_NE(answer.failure->excerpt().find(">>> FORM x"), std::string::npos);
}

TEST(CallAnswer, ABuilderDoesNotSpeakToTheTerminal) {
  const std::string evil =
      "a\x1b[2Jb\r\xc2\x9b"
      "31m\n\x07"
      "c\r\n";
  for (const Metadata& metadata :
       {Metadata{{"result.txt", evil}}, Metadata{{"result.json",
                                                  "\"\xc2\x9b"
                                                  "31m\xe2\x80\xae\""}}}) {
    const CallAnswer answer = Shown({"outline", !metadata.contains("result.txt"), false}, metadata);
    EXPECT_EQ(answer.text.find_first_of("\x1b\r\x07"), std::string::npos);
    EXPECT_EQ(answer.text.find("\xc2\x9b"), std::string::npos);
    EXPECT_EQ(answer.text.find("\xe2\x80\xae"), std::string::npos);
  }
  const CallAnswer broken = Shown(
      kLint, {{"result.json",
               R"({"buildError":{"message":"a\u001b[2J\nb","location":{"sourceIndex":-7}}})"}});
  EXPECT_EQ(broken.failure->message().find_first_of("\x1b\n"), std::string::npos);
}

TEST(CallAnswer, AStatusIsAFailure) {
  auto status = [](const std::string& code) {
    return Shown({"x", false, false}, {{"result.txt", "x"}, {"result.statuscode", code}}).failure;
  };
  EXPECT_EQ(status("7")->message(), "--call=x: the frontend reports status 7");
  EXPECT_FALSE(status("0"));
  EXPECT_FALSE(status("-1"));
  EXPECT_FALSE(status("x"));
}

}  // namespace
}  // namespace depot::deliver::call_answer_test
