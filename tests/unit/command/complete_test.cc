#include "plugin/command/complete.h"

#include <gtest/gtest.h>

#include "plugin/progress/terminal.h"

namespace depot::command::complete_test {
namespace {

std::string Answer(std::vector<std::string> words, bool descriptions = false) {
  const options::GlobalFlags globals;
  const std::vector<std::string> none;
  const Environment environment;
  Terminal terminal;
  const Call call{globals, none, "depot", "1", environment, terminal, Cancel::Never()};
  return Complete({std::move(words), descriptions}, call);
}

TEST(Complete, WhateverTheWordsAreThereIsAnAnswer) {
  EXPECT_EQ(Answer({}).substr(0, 6), "build\n");
  for (const char* word :
       {"-", "--", "--=", "---", "=", "-=", "--progress=", "-f=", "\n", "\xff"}) {
    for (std::vector<std::string> words : {std::vector<std::string>{word},
                                           {word, ""},
                                           {"build", word},
                                           {"build", word, ""},
                                           {"build", word, word},
                                           {"depot", word},
                                           {"imagetools", word, word}}) {
      const std::string answer = Answer(words);
      ASSERT_FALSE(answer.empty());
      EXPECT_EQ(answer.back(), '\n');
      EXPECT_NE(answer.rfind(':'), std::string::npos);
    }
  }
}

TEST(Complete, TheNameOfThePluginIsNoCommand) {
  EXPECT_EQ(Answer({"depot", "vers"}), "version\n:4\n");
  EXPECT_EQ(Answer({"buildx", "vers"}), "version\n:4\n");
  EXPECT_EQ(Answer({"vers"}), "version\n:4\n");
}

TEST(Complete, ADescriptionIsOneShortLine) {
  const std::string answer = Answer({"build", "--resource"}, true);
  const std::size_t tab = answer.find('\t');
  ASSERT_NE(tab, std::string::npos);
  EXPECT_LE(answer.find('\n') - tab, 81u);
}

TEST(Complete, EveryCommandTellsItsFlags) {
  for (const Command& command : Commands()) {
    if (command.words == "help" || command.words == "version") continue;
    std::vector<std::string> words;
    const std::size_t blank = command.words.find(' ');
    words.emplace_back(command.words.substr(0, blank));
    if (blank != std::string_view::npos) words.emplace_back(command.words.substr(blank + 1));
    words.emplace_back("--he");
    EXPECT_EQ(Answer(words), "--help\n:4\n") << command.words;
  }
}

}  // namespace
}  // namespace depot::command::complete_test
