#include "driver/git/config.h"

#include <vector>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::git::config_test {
namespace {

/// Every variable as section|subsection|name|value, then the error.
std::vector<std::string> Read(std::string_view text) {
  std::vector<std::string> lines;
  Result<> read = ReadConfig(text, [&](const ConfigVariable& one) {
    lines.push_back(Cat(one.section, '|', one.subsection, '|', one.name, '|', one.value));
  });
  if (!read) lines.push_back(read.error().message());
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ReadConfig, WhatGitWrites) {
  EXPECT_EQ(Read("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://h/x.git\n"
                 "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"),
            (Lines{"core||bare|false", "remote|origin|url|https://h/x.git",
                   "remote|origin|fetch|+refs/heads/*:refs/remotes/origin/*"}));
}

TEST(ReadConfig, CasesBlanksAndComments) {
  EXPECT_EQ(Read("\xef\xbb\xbf# c\n; d\r\n [Remote \"Up/Stream\"] URL=a b\t # c\r\n"),
            Lines{"remote|Up/Stream|url|a b"});
  EXPECT_EQ(Read("[Remote.Origin] url = x;c"), Lines{"remote|origin|url|x"});
  EXPECT_EQ(Read("[a]\nb\nc # d\n"), (Lines{"a||b|true", "a||c|true"}));
  EXPECT_EQ(Read("[a \"\\\"\\\\x\"]b=\n"), Lines{"a|\"\\x|b|"});
}

TEST(ReadConfig, QuotesAndEscapes) {
  EXPECT_EQ(Read("[a]\nb = \" x # y \" z \nc = p\\\n q\\tr\\\\ \n"),
            (Lines{"a||b| x # y  z", "a||c|p q\tr\\"}));
}

TEST(ReadConfig, WhatIsMalformedIsNamedByItsLine) {
  for (std::string_view text : {"x", "[", "[a", "[a \"b", "[a \"b\nc\"]", "[]", "[a]\n=", "[a]b=\"",
                                "[a]b=\\q", "[a]b c"}) {
    Lines lines = Read(text);
    ASSERT_EQ(lines.size(), 1u) << text;
    EXPECT_TRUE(lines[0].ends_with(" is malformed")) << lines[0];
  }
  EXPECT_EQ(Read("[a]\nb=c\n[\n"), (Lines{"a||b|c", "line 3 is malformed"}));
  EXPECT_TRUE(Read("").empty());
}

}  // namespace
}  // namespace depot::git::config_test
