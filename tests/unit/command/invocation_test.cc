#include "plugin/command/invocation.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "plugin/command/help_command.h"

namespace depot::command::invocation_test {
namespace {

using Words = std::vector<std::string>;

const Environment kFromDocker = {{"DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "docker"}};

Invocation Parse(const Words& argv, const Environment& environment = {}, const Words& docker = {}) {
  auto invocation = ParseInvocation(argv, environment, docker);
  if (invocation) return *invocation;
  ADD_FAILURE() << invocation.error().message();
  return {};
}

Error Refusal(const Words& argv, const Environment& environment = {}) {
  auto invocation = ParseInvocation(argv, environment, {});
  if (!invocation) {
    EXPECT_EQ(invocation.error().code(), ErrorCode::kUsage);
    return invocation.error();
  }
  ADD_FAILURE() << "accepted";
  return Error(ErrorCode::kInternal, "accepted");
}

TEST(Invocation, MetadataIsRecognisedFirst) {
  EXPECT_EQ(Parse({"docker-depot", "docker-cli-plugin-metadata"}).request, Request::kMetadata);
  EXPECT_EQ(Parse({"docker-depot", "docker-cli-plugin-metadata"}, kFromDocker).request,
            Request::kMetadata);
  Refusal({"docker-depot", "--debug", "docker-cli-plugin-metadata"});
}

TEST(Invocation, GlobalFlagsStandBeforeAndAfterThePluginName) {
  Invocation invocation =
      Parse({"/x/docker-depot", "-D", "-H", "tcp://h:1", "--config=C", "depot", "-c", "ctx",
             "--tlsverify", "--tlscacert", "ca", "-l", "warn", "build", "-c", "2", "."},
            kFromDocker);
  EXPECT_EQ(invocation.command->words, "build");
  EXPECT_EQ(invocation.program, "docker depot");
  EXPECT_EQ(invocation.arguments, (Words{"-c", "2", "."}));
  EXPECT_TRUE(invocation.globals.debug);
  EXPECT_TRUE(invocation.globals.tls_verify);
  EXPECT_EQ(invocation.globals.host, "tcp://h:1");
  EXPECT_EQ(invocation.globals.config, "C");
  EXPECT_EQ(invocation.globals.context, "ctx");
  EXPECT_EQ(invocation.globals.tls_ca, "ca");
  EXPECT_EQ(invocation.globals.log_level, "warn");
}

TEST(Invocation, LettersInOneWordMayEndInAValue) {
  Invocation invocation =
      Parse({"docker-depot", "-DH", "tcp://h:1", "depot", "build"}, kFromDocker);
  EXPECT_EQ(invocation.command->words, "build");
  EXPECT_EQ(invocation.globals.host, "tcp://h:1");
}

TEST(Invocation, AliasOfDockerBuildLooksTheSame) {
  Invocation invocation = Parse({"docker-depot", "depot", "build", "-t", "x", "."}, kFromDocker);
  EXPECT_EQ(invocation.command->words, "build");
  EXPECT_EQ(invocation.arguments, (Words{"-t", "x", "."}));
}

TEST(Invocation, StandaloneHasNoPluginName) {
  Invocation invocation = Parse({"/usr/bin/docker-depot", "build", "--help"});
  EXPECT_EQ(invocation.program, "docker-depot");
  EXPECT_EQ(invocation.arguments, (Words{"--help"}));
  Invocation depot = Parse({"depot", "--context", "c", "build", "."});
  EXPECT_EQ(depot.program, "depot");
  EXPECT_EQ(depot.globals.context, "c");
  EXPECT_EQ(depot.arguments, (Words{"."}));
}

TEST(Invocation, BuilderMayStandBeforeTheCommand) {
  EXPECT_EQ(Parse({"depot", "--builder", "tcp://b:1", "build", "."}).arguments,
            (Words{"--builder=tcp://b:1", "."}));
}

TEST(Invocation, VersionAndHelpInTheirForms) {
  for (const char* word : {"version", "--version", "-v"}) {
    EXPECT_EQ(Parse({"depot", word}).command->words, "version") << word;
  }
  for (const Words& argv :
       {Words{"depot"}, Words{"depot", "--help"}, Words{"depot", "-h"}, Words{"depot", "help"}}) {
    EXPECT_EQ(Parse(argv).command->words, "help");
  }
  for (const Words& argv : {Words{"docker-depot", "help", "depot", "build"},
                            Words{"docker-depot", "depot", "help", "build"},
                            Words{"docker-depot", "--help", "depot", "build"}}) {
    Invocation invocation = Parse(argv, kFromDocker);
    EXPECT_EQ(invocation.command->words, "build");
    EXPECT_EQ(invocation.arguments, (Words{"--help"}));
  }
  EXPECT_EQ(Parse({"docker-depot", "help", "depot"}, kFromDocker).command->words, "help");
}

TEST(Invocation, CompletionAndHooksAreQuiet) {
  EXPECT_EQ(Parse({"docker-depot", "__complete", "depot", "bui"}, kFromDocker).request,
            Request::kComplete);
  EXPECT_EQ(Parse({"depot", "__completeNoDesc", ""}).request, Request::kCompleteNamesAlone);
  EXPECT_EQ(Parse({"docker-depot", "depot", "docker-cli-plugin-hooks", "{}"}, kFromDocker).request,
            Request::kHook);
}

TEST(Invocation, UnknownCommandNamesTheNearest) {
  Error near = Refusal({"docker-depot", "depot", "buil", "."}, kFromDocker);
  EXPECT_EQ(near.message(), "unknown command: docker depot buil, did you mean build?");
  EXPECT_EQ(near.hint(), "see 'docker depot --help'");
  Error far = Refusal({"docker-depot", "depot", "zebra"}, kFromDocker);
  EXPECT_EQ(
      far.message(),
      "unknown command: docker depot zebra, known are: build, bake, login, "
      "logout, init, list, cache, pull, push, pull-token, image, projects, ls, inspect, create, "
      "use, rm, stop, install, uninstall, du, prune, context, history, imagetools, "
      "configure-docker, doctor, completion, "
      "version, help");
}

TEST(Invocation, CommandsOfTwoWords) {
  Invocation builds =
      Parse({"docker-depot", "depot", "list", "builds", "--output", "json"}, kFromDocker);
  EXPECT_EQ(builds.command->words, "list builds");
  EXPECT_EQ(builds.arguments, (Words{"--output", "json"}));
  EXPECT_EQ(Parse({"depot", "list", "projects"}).command->words, "list projects");
  EXPECT_EQ(Parse({"depot", "cache", "reset", "dir"}).arguments, (Words{"dir"}));
  EXPECT_EQ(Parse({"depot", "pull", "b1"}).arguments, (Words{"b1"}));
}

TEST(Invocation, SecondWordNamesTheNearest) {
  Error near = Refusal({"depot", "list", "buidls"});
  EXPECT_EQ(near.message(), "unknown command: depot list buidls, did you mean builds?");
  EXPECT_EQ(near.hint(), "see 'depot list --help'");
  EXPECT_EQ(Refusal({"depot", "cache", "prune"}).message(),
            "unknown command: depot cache prune, known are: reset");
  EXPECT_EQ(Refusal({"depot", "list builds"}).message().find("did you mean build?"),
            std::string::npos);
}

TEST(Invocation, WordsThatBeginSeveralCommandsHaveHelp) {
  for (const Words& argv :
       {Words{"depot", "list"}, Words{"depot", "list", "--help"}, Words{"depot", "list", "-h"},
        Words{"depot", "help", "list"}, Words{"depot", "--help", "list"}}) {
    Invocation invocation = Parse(argv);
    EXPECT_EQ(invocation.command->words, "help");
    EXPECT_EQ(invocation.arguments, (Words{"list"}));
  }
  Invocation builds = Parse({"depot", "help", "list", "builds"});
  EXPECT_EQ(builds.command->words, "list builds");
  EXPECT_EQ(builds.arguments, (Words{"--help"}));
  std::string help = GroupHelp("docker depot", "list");
  EXPECT_TRUE(help.starts_with("Usage:  docker depot list COMMAND\n"));
  EXPECT_NE(help.find("\n  builds  "), std::string::npos);
  EXPECT_EQ(help.find("reset"), std::string::npos);
}

TEST(Invocation, HelpOfWhatHasNoFlagsIsTheRootsAndOfTheUnknownAnError) {
  EXPECT_EQ(Parse({"depot", "help", "version"}).command->words, "help");
  EXPECT_TRUE(Parse({"depot", "help", "version"}).arguments.empty());
  EXPECT_EQ(Refusal({"depot", "help", "biuld"}).message(),
            "unknown command: depot biuld, did you mean build?");
}

TEST(Invocation, KnowsDockersOwnBuildByTheCommandLineOfDocker) {
  const Words argv = {"docker-depot", "-D", "depot", "build", "."};
  for (const Words& docker :
       {Words{"/usr/bin/docker", "build", "."}, Words{"docker", "image", "build", "."},
        Words{"docker", "-D", "--context", "c", "builder", "build", "-q", "."},
        Words{"docker", "--host=tcp://h:1", "build", "depot"}}) {
    EXPECT_TRUE(Parse(argv, kFromDocker, docker).is_docker_build) << docker.at(1);
    EXPECT_FALSE(Parse({"depot", "build", "."}, {}, docker).is_docker_build) << "not from docker";
  }
  for (const Words& docker :
       {Words{}, Words{"docker"}, Words{"docker", "depot", "build", "."}, Words{"docker", "image"},
        Words{"docker", "buildx", "build", "build"}, Words{"docker", "--nonsense", "build"},
        Words{"docker", "--context", "build", "depot", "build"}, Words{"init", ""}}) {
    EXPECT_FALSE(Parse(argv, kFromDocker, docker).is_docker_build);
  }
}

TEST(Invocation, HasBuildxsNameWhenItIsCalledSo) {
  Invocation build = Parse({"/p/docker-buildx", "buildx", "build", "-q", "."}, kFromDocker);
  EXPECT_EQ(build.command->words, "build");
  EXPECT_EQ(build.arguments, (Words{"-q", "."}));
  EXPECT_EQ(build.program, "docker buildx");
  EXPECT_TRUE(build.is_buildx);
  EXPECT_TRUE(Parse({"/p/docker-buildx", "docker-cli-plugin-metadata"}).is_buildx);
  EXPECT_EQ(Parse({"docker-buildx", "version"}).program, "docker-buildx");
  EXPECT_FALSE(Parse({"/p/docker-depot", "depot", "build", "."}, kFromDocker).is_buildx);
}

TEST(Invocation, BakeHasItsShortForm) {
  for (const char* word : {"bake", "f"}) {
    Invocation bake = Parse({"docker-buildx", word, "--file", "-"}, kFromDocker);
    EXPECT_EQ(bake.command->words, "bake");
    EXPECT_EQ(bake.arguments, (Words{"--file", "-"}));
  }
}

TEST(Invocation, CommandsOfOthersSayWhatToUse) {
  for (const auto& [words, says] : {std::pair{Words{"dial-stdio"}, "DEPOT_BUILDER"},
                                    {Words{"debug", "x"}, "build -D"},
                                    {Words{"history", "open"}, "history inspect"},
                                    {Words{"history", "trace"}, "history logs"}}) {
    Words argv = {"docker-depot"};
    argv.insert(argv.end(), words.begin(), words.end());
    const Error refusal = Refusal(argv);
    EXPECT_NE(refusal.message().find("there is no command "), std::string::npos);
    EXPECT_NE(refusal.hint().find(says), std::string::npos) << refusal.hint();
  }
}

TEST(Invocation, OtherNamesOfCommands) {
  for (const auto& [words, command] : {std::pair{Words{"b"}, "build"},
                                       {Words{"f"}, "bake"},
                                       {Words{"projects", "list"}, "list projects"},
                                       {Words{"projects", "ls"}, "list projects"},
                                       {Words{"projects", "c"}, "projects create"},
                                       {Words{"image", "ls"}, "image list"},
                                       {Words{"image", "remove"}, "image rm"},
                                       {Words{"image", "delete"}, "image rm"}}) {
    Words argv = {"docker-depot"};
    argv.insert(argv.end(), words.begin(), words.end());
    EXPECT_EQ(Parse(argv).command->words, command);
  }
}

TEST(Invocation, BuilderIsForBuildsOnly) {
  EXPECT_EQ(Refusal({"depot", "--builder", "tcp://b:1", "login"}).message(),
            "--builder has no meaning for login");
}

TEST(Invocation, UnknownGlobalFlagIsSaid) {
  Error error = Refusal({"depot", "--contxt", "c", "build", "."});
  EXPECT_EQ(error.message(), "unknown flag: --contxt, did you mean --context?");
  EXPECT_EQ(Refusal({"depot", "-H"}).message(), "flag needs a value: --host");
  EXPECT_EQ(
      Refusal({"docker-depot", "-H", "a", "depot", "-H", "b", "build"}, kFromDocker).message(),
      "give --host only once");
}

TEST(Invocation, HintsCallUsAsTheUserDoes) {
  EXPECT_EQ(InWordsOf("depot", "run `docker depot login`, or docker depot init"),
            "run `depot login`, or depot init");
  EXPECT_EQ(InWordsOf("docker depot", "docker depot login"), "docker depot login");
  EXPECT_EQ(InWordsOf("depot", "docker login r.test"), "docker login r.test");
  EXPECT_EQ(InWordsOf("depot", ""), "");
}

TEST(Invocation, RootHelpFitsATerminal) {
  std::string help = RootHelp("docker depot");
  for (std::string_view line : Split(help, '\n'))
    EXPECT_LE(line.size(), 80u) << line;
  for (const char* words : {"build", "login", "init", "list builds", "cache reset", "pull", "help"})
    EXPECT_NE(help.find(Cat("\n  ", words, ' ')), std::string::npos) << words;
}

}  // namespace
}  // namespace depot::command::invocation_test
