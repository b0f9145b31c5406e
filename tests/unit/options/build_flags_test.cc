#include "plugin/options/build_flags.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::options::build_flags_test {
namespace {

using Words = std::vector<std::string>;

BuildOptions Parse(const Words& words) {
  auto options = ParseBuildFlags(words, "docker depot");
  if (!options || !*options) {
    ADD_FAILURE() << (options ? "help" : options.error().message());
    return {};
  }
  return **options;
}

Error Refusal(const Words& words) {
  auto options = ParseBuildFlags(words, "docker depot");
  if (options) {
    ADD_FAILURE() << "accepted";
    return Error(ErrorCode::kInternal, "accepted");
  }
  EXPECT_EQ(options.error().code(), ErrorCode::kUsage);
  EXPECT_FALSE(options.error().hint().empty());
  return options.error();
}

TEST(BuildFlags, TakeWhatPflagTakes) {
  BuildOptions options = Parse({"-qt", "a:1", "-tb:2", "--tag=c", "-t=d:4", "--target", "-x",
                                "--no-cache=false", "--pull=1", "dir", "-fsub/Dockerfile"});
  EXPECT_EQ(options.tags, (Words{"a:1", "b:2", "c", "d:4"}));
  EXPECT_EQ(options.target, "-x");
  EXPECT_EQ(options.file, "sub/Dockerfile");
  EXPECT_EQ(options.context, "dir");
  EXPECT_FALSE(options.no_cache);
  EXPECT_TRUE(options.pull);
  EXPECT_TRUE(options.quiet);
  EXPECT_EQ(options.progress, ProgressMode::kQuiet);
}

TEST(BuildFlags, EmptyAssignedValueDoesNotEatTheNextWord) {
  BuildOptions options = Parse({"--target=", ".", "--builder="});
  EXPECT_EQ(options.target, "");
  EXPECT_EQ(options.context, ".");
}

TEST(BuildFlags, ValueThatLooksLikeAnEmptyAssignmentStaysAValue) {
  BuildOptions options = Parse({"--build-arg", "A=", "--target", "--target=", "."});
  EXPECT_EQ(options.target, "--target=");
  ASSERT_EQ(options.build_args.size(), 1u);
  EXPECT_EQ(options.build_args[0].second, "");
}

TEST(BuildFlags, LettersInOneWordMayEndInAValueOrASwitchValue) {
  EXPECT_EQ(Parse({"-qf", "--", "."}).file, "--");
  EXPECT_FALSE(Parse({"-q=false", "."}).quiet);
  EXPECT_TRUE(Parse({"-q=1", "."}).quiet);
  EXPECT_EQ(Parse({"-f=", "."}).file, "");
}

TEST(BuildFlags, DashIsAnArgumentAndAValue) {
  BuildOptions options = Parse({"-f", "-", "-"});
  EXPECT_EQ(options.file, "-");
  EXPECT_EQ(options.context, "-");
}

TEST(BuildFlags, TwoDashesEndTheFlags) {
  EXPECT_EQ(Parse({"-q", "--", "-strange"}).context, "-strange");
  EXPECT_EQ(Refusal({"--", "--load", "."}).message(),
            "'docker depot build' requires 1 argument, got 2: \"--load\" \".\"");
}

TEST(BuildFlags, LastValueOfASingleFlagWins) {
  EXPECT_EQ(Parse({"--target", "a", "--target", "b", "."}).target, "b");
  EXPECT_FALSE(Parse({"--load", "--load=false", "."}).load);
}

TEST(BuildFlags, NamesAreNotAbbreviated) {
  EXPECT_EQ(Refusal({"--meta", "x", "."}).message(), "unknown flag: --meta");
}

TEST(BuildFlags, UnknownFlagNamesTheNearest) {
  EXPECT_EQ(Refusal({"--frobnicate", "."}).message(), "unknown flag: --frobnicate");
  EXPECT_EQ(Refusal({"--no-cahce", "."}).message(),
            "unknown flag: --no-cahce, did you mean --no-cache?");
  EXPECT_EQ(Refusal({"--tagg=x:1", "."}).message(), "unknown flag: --tagg, did you mean --tag?");
  EXPECT_EQ(Refusal({"-qz", "."}).message(), "unknown flag: -z");
  EXPECT_EQ(Refusal({"--frobnicate", "."}).hint(), "see 'docker depot build --help'");
}

TEST(BuildFlags, MissingValueAndWrongSwitchAreSaid) {
  EXPECT_EQ(Refusal({".", "--tag"}).message(), "flag needs a value: --tag");
  EXPECT_EQ(Refusal({".", "-t"}).message(), "flag needs a value: --tag");
  EXPECT_EQ(Refusal({".", "--push=maybe"}).message(), "--push is true or false, not \"maybe\"");
}

TEST(BuildFlags, NeedExactlyOnePath) {
  Error none = Refusal({});
  EXPECT_EQ(none.message(), "'docker depot build' requires 1 argument");
  EXPECT_EQ(none.hint(), "usage: docker depot build [OPTIONS] PATH | URL | -");
  EXPECT_EQ(Refusal({".", "x"}).message(),
            "'docker depot build' requires 1 argument, got 2: \".\" \"x\"");
}

TEST(BuildFlags, OldFlagsChangeNothingAndSaySoOnce) {
  BuildOptions options =
      Parse({"--rm", "--rm=false", "--force-rm", "--compress", "--squash", "--isolation=x",
             "--security-opt", "a,b", "--root=r", "--server-config=c", "--detach=false", "."});
  ASSERT_EQ(options.notices.size(), 8u);
  for (const std::string& notice : options.notices)
    EXPECT_NE(notice.find(" has no effect: "), std::string::npos) << notice;
  EXPECT_TRUE(Parse({"."}).notices.empty());
}

TEST(BuildFlags, WhatAsksForAnotherKindOfBuildSaysWhatToUseInstead) {
  EXPECT_NE(Refusal({"--invoke=sh", "."}).hint().find("docker run"), std::string::npos);
  EXPECT_NE(Refusal({"--detach", "."}).hint().find("background"), std::string::npos);
}

TEST(BuildFlags, GlobalFlagsMayFollowTheCommand) {
  BuildOptions options = Parse({".", "-D", "--config", "dir"});
  EXPECT_TRUE(options.debug);
  EXPECT_EQ(options.docker_config, "dir");
}

TEST(BuildFlags, AnEmptyOutputIsNoneAndSaid) {
  BuildOptions options = Parse({"-o", "", "."});
  EXPECT_TRUE(options.outputs.empty());
  EXPECT_EQ(options.notices.size(), 1u);
}

TEST(BuildFlags, ACallHasNoResults) {
  BuildOptions options =
      Parse({"--check", "--push", "--load", "-o", "out", "--iidfile", "id", "--sbom-dir=s", "-t",
             "x", "--annotation", "a=b", "--attest=type=sbom", "."});
  EXPECT_EQ(options.call.method, "lint");
  EXPECT_FALSE(options.push || options.load || options.sbom_implied);
  EXPECT_TRUE(options.outputs.empty() && options.iidfile.empty() && options.annotations.empty());
  EXPECT_TRUE(options.attests.empty());
  ASSERT_EQ(options.notices.size(), 1u);
  EXPECT_NE(options.notices[0].find("--push, --load, --iidfile"), std::string::npos);
  EXPECT_TRUE(Parse({"--check", "."}).notices.empty());
  EXPECT_TRUE(Parse({"--check=false", "--push", "-t", "x", "."}).push);
}

TEST(BuildFlags, StagesWithoutCache) {
  EXPECT_EQ(Parse({"--no-cache-filter=a", "--no-cache-filter", "b", "."}).no_cache_filter,
            (Words{"a", "b"}));
  EXPECT_NE(Refusal({"--no-cache-filter=", "."}).message().find("--no-cache-filter"),
            std::string::npos);
  EXPECT_EQ(Refusal({"--no-cache", "--no-cache-filter=a", "."}).message(),
            "--no-cache and --no-cache-filter cannot currently be used together");
}

TEST(BuildFlags, ThePolicyThatIsNoneIsTheOnlyOne) {
  EXPECT_TRUE(Parse({"--policy", "disabled=true", "."}).policy_disabled);
  EXPECT_FALSE(Parse({"."}).policy_disabled);
  for (const char* value : {"x.rego", "disabled=false", "disabled=true,strict=true", ""}) {
    std::string message = Refusal({"--policy", value, "."}).message();
    EXPECT_NE(message.find("there is no Rego engine here"), std::string::npos) << message;
  }
}

TEST(BuildFlags, HelpWinsOverWhatIsMissingOrRefused) {
  auto help = ParseBuildFlags({"--help", "--ssh", "default"}, "docker depot");
  ASSERT_TRUE(help);
  EXPECT_FALSE(*help);
  auto letter = ParseBuildFlags({"-h"}, "docker depot");
  ASSERT_TRUE(letter);
  EXPECT_FALSE(*letter);
}

TEST(BuildFlags, HelpFitsATerminalAndShowsOnlyWhatWorks) {
  std::string help = BuildHelp("docker depot");
  EXPECT_TRUE(help.starts_with("Usage:  docker depot build [OPTIONS] PATH | URL | -\n"));
  for (std::string_view line : Split(help, '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
  for (const char* shown :
       {"-t, --tag list", "-q, --quiet ", "--ulimit ", "$DEPOT_BUILDER", "    --no-preflight "}) {
    EXPECT_NE(help.find(shown), std::string::npos) << shown;
  }
  for (const char* hidden : {"--memory", "--squash", "--rm ", "--print"}) {
    EXPECT_EQ(help.find(hidden), std::string::npos) << hidden;
  }
}

TEST(BuildFlags, TagsAreCheckedAtOnce) {
  EXPECT_EQ(Refusal({"-t", "."}).hint(), "is the name missing between -t and .?");
  Error upper = Refusal({"-t", "UPPER", "."});
  EXPECT_NE(upper.message().find("must be lowercase"), std::string::npos) << upper.message();
  EXPECT_TRUE(upper.message().starts_with("--tag: ")) << upper.message();
  Refusal({"-t", "", "."});
  std::string digest = Cat("a@sha256:", std::string(64, 'a'));
  EXPECT_NE(Refusal({"-t", digest, "."}).message().find("has a digest"), std::string::npos);
}

TEST(BuildFlags, BuildArgsAndLabels) {
  BuildOptions options =
      Parse({"--build-arg", "A=1=2", "--build-arg", "B", "--label", "x", "--label", "y=z", "."});
  ASSERT_EQ(options.build_args.size(), 2u);
  EXPECT_EQ(options.build_args[0].second, "1=2");
  EXPECT_EQ(options.build_args[1].first, "B");
  EXPECT_FALSE(options.build_args[1].second);
  EXPECT_EQ(options.labels[0], (std::pair<std::string, std::string>("x", "")));
  EXPECT_EQ(options.labels[1], (std::pair<std::string, std::string>("y", "z")));
  EXPECT_EQ(Refusal({"--build-arg", "=hush", "."}).message(),
            "--build-arg: invalid key-value pair \"=***\": empty key");
  EXPECT_EQ(Refusal({"--label", "", "."}).message(),
            "--label: invalid key-value pair \"\": empty key");
}

TEST(BuildFlags, PlatformsComeInListsAndOnceEach) {
  using Platforms = std::vector<Platform>;
  const Platform amd64{"linux", "amd64", ""};
  const Platform arm64{"linux", "arm64", ""};
  EXPECT_EQ(Parse({"--platform", "linux/aarch64", "."}).platforms, (Platforms{arm64}));
  EXPECT_EQ(Parse({"--platform=local", "."}).platforms, (Platforms{HostPlatform()}));
  EXPECT_EQ(
      Parse({"--platform=arm64,linux/amd64", "--platform", "x86_64, linux/arm/v7", "."}).platforms,
      (Platforms{arm64, amd64, {"linux", "arm", "v7"}}));
  EXPECT_TRUE(Parse({"."}).platforms.empty());
  EXPECT_EQ(Refusal({"--platform=", "."}).message(), "--platform: the platform is empty");
  EXPECT_EQ(Refusal({"--platform=amd64,", "."}).message(), "--platform: the platform is empty");
  EXPECT_EQ(Parse({"--platform", "linux/amd64,linux/foo", "."}).platforms,
            (Platforms{amd64, {"linux", "foo", ""}}));
  EXPECT_EQ(Refusal({"--platform", "linux/amd64,linux/f o", "."}).message(),
            "--platform: platform \"linux/f o\": the architecture has a wrong form");
}

TEST(BuildFlags, DepotSettings) {
  BuildOptions options =
      Parse({"--project", "p1", "--token=hush", "--save", "--save-tag", "v1", "--save-tag=v2",
             "--build-platform", "linux/arm64", "--emulate", "--suppress-no-output-warning", "."});
  EXPECT_EQ(options.project, "p1");
  EXPECT_EQ(options.token, Secret("hush"));
  EXPECT_TRUE(options.save);
  EXPECT_EQ(options.save_tags, (Words{"v1", "v2"}));
  EXPECT_EQ(options.build_platform, (Platform{"linux", "arm64", ""}));
  EXPECT_TRUE(options.emulate);
  EXPECT_TRUE(options.suppress_no_output_warning);
  EXPECT_FALSE(Parse({"--build-platform=dynamic", "."}).build_platform);
}

TEST(BuildFlags, DepotSettingsAreChecked) {
  EXPECT_EQ(Refusal({"--build-platform=linux/amd46", "."}).message(),
            "--build-platform: there are no builders for \"linux/amd46\", did you mean "
            "linux/amd64?");
  EXPECT_EQ(Refusal({"--save-tag", "v1", "."}).message(),
            "--save-tag names an image that is not saved");
  for (const char* wrong : {"", "a:b", "repo/x", "-x", "a@sha256:0", "\xc3\xa4"}) {
    EXPECT_TRUE(Refusal({"--save", "--save-tag", wrong, "."}).message().ends_with("is not a tag"))
        << wrong;
  }
}

TEST(BuildFlags, AnErrorNeverShowsTheToken) {
  Error error = Refusal({"--token=hush", "--token", "hush2", "--platform=hu", "."});
  EXPECT_EQ(error.message().find("hush"), std::string::npos);
}

TEST(BuildFlags, AttestationsBecomeOneMap) {
  using Attests = std::map<std::string, std::map<std::string, std::string>>;
  BuildOptions options =
      Parse({"--provenance=mode=max", "--attest", "type=sbom,generator=r/scanner:1", "."});
  EXPECT_EQ(options.attests,
            (Attests{{"provenance", {{"mode", "max"}}}, {"sbom", {{"generator", "r/scanner:1"}}}}));
  EXPECT_TRUE(options.attests_disabled.empty());
  options = Parse({"--provenance=false", "--sbom=1", "."});
  EXPECT_EQ(options.attests, (Attests{{"sbom", {}}}));
  EXPECT_EQ(options.attests_disabled, (std::set<std::string>{"provenance"}));
  options = Parse({"--provenance=", "."});
  EXPECT_TRUE(options.attests.empty() && options.attests_disabled.empty());
}

TEST(BuildFlags, SbomDirectorySwitchesTheSbomOn) {
  BuildOptions options = Parse({"--sbom-dir", "out", "."});
  EXPECT_TRUE(options.attests.contains("sbom"));
  EXPECT_TRUE(options.sbom_implied);
  options = Parse({"--sbom-dir", "out", "--sbom=generator=x", "."});
  EXPECT_EQ(options.attests.at("sbom").at("generator"), "x");
  EXPECT_FALSE(options.sbom_implied);
  EXPECT_EQ(Refusal({"--sbom-dir", "out", "--sbom=false", "."}).message(),
            "--sbom-dir wants an SBOM, but it is switched off");
}

TEST(BuildFlags, LaterAnnotationOfOnePlaceWins) {
  auto annotations = Parse({"--annotation", "a=1", "--annotation", "index:a=2", "--annotation",
                            "manifest:a=3", "."})
                         .annotations;
  ASSERT_EQ(annotations.size(), 2u);
  EXPECT_EQ(annotations[0].type + annotations[0].value, "index2");
  EXPECT_EQ(annotations[1].type + annotations[1].value, "manifest3");
}

TEST(BuildFlags, AnnotationNeedsAnImage) {
  EXPECT_TRUE(Refusal({"--annotation", "a=1", "-o", "out", "."})
                  .message()
                  .starts_with("--annotation: the outputs"));
  EXPECT_EQ(Parse({"--annotation", "a=1", "-o", "type=oci,dest=f", "."}).annotations.size(), 1u);
}

TEST(BuildFlags, SecretSources) {
  BuildOptions options =
      Parse({"--secret", "id=a,src=f", "--secret", "id=b,env=V", "--secret", "id=c", "--secret",
             "type=env,id=d,source=W", "--secret", "type=file,id=e", "."});
  ASSERT_EQ(options.secrets.size(), 5u);
  EXPECT_EQ(options.secrets[0].file, "f");
  EXPECT_EQ(options.secrets[1].variable, "V");
  EXPECT_EQ(options.secrets[2].file + options.secrets[2].variable, "");
  EXPECT_EQ(options.secrets[3].variable, "W");
  EXPECT_EQ(options.secrets[3].file, "");
  EXPECT_EQ(options.secrets[4].file, "e");
}

TEST(BuildFlags, SecretsAreStrict) {
  EXPECT_EQ(Refusal({"--secret", "src=f", "."}).message(), "--secret: the id is missing");
  EXPECT_EQ(Refusal({"--secret", "id=a,scr=f", "."}).message(),
            "--secret: unknown key \"scr\", did you mean src?");
  EXPECT_EQ(Refusal({"--secret", "id=a,path=f", "."}).message(),
            "--secret: unknown key \"path\", known are: id, src, source, env, type");
  EXPECT_EQ(Refusal({"--secret", "id=a,foo", "."}).message(),
            "--secret: \"foo\" must be a key=value pair");
  EXPECT_EQ(Refusal({"--secret", "id=a,type=vault", "."}).message(),
            "--secret id=a: the type is file or env, not \"vault\"");
  EXPECT_EQ(Refusal({"--secret", "id=a,src=f,env=V", "."}).message(),
            "--secret id=a: has both a file and a variable; give one");
  EXPECT_EQ(Refusal({"--secret", "id=a,type=file,env=V", "."}).message(),
            "--secret id=a: type=file, but env= is given");
  EXPECT_EQ(Refusal({"--secret", "id=a,env=A", "--secret", "id=a,env=B", "."}).message(),
            "--secret id=a is given twice");
}

TEST(BuildFlags, AddHostForms) {
  using Pair = std::pair<std::string, std::string>;
  auto hosts = Parse({"--add-host", "a:1.2.3.4", "--add-host", "b=[::1]", "--add-host", "c:::1",
                      "--add-host", "d:host-gateway", "--add-host", "e=1.1.1.1,2.2.2.2,::2", "."})
                   .add_hosts;
  EXPECT_EQ(hosts, (std::vector<Pair>{{"a", "1.2.3.4"},
                                      {"b", "::1"},
                                      {"c", "::1"},
                                      {"d", "host-gateway"},
                                      {"e", "1.1.1.1"},
                                      {"e", "2.2.2.2"},
                                      {"e", "::2"}}));
  EXPECT_EQ(Refusal({"--add-host", "foo", "."}).message(), "--add-host: \"foo\" is not NAME:IP");
  EXPECT_EQ(Refusal({"--add-host", "foo:bar", "."}).message(),
            "--add-host foo: \"bar\" is not an IP address");
  EXPECT_EQ(Refusal({"--add-host", ":1.2.3.4", "."}).message(),
            "--add-host: \":1.2.3.4\" is not NAME:IP");
}

TEST(BuildFlags, NetworkAllowAndProgressKnowTheirWords) {
  EXPECT_EQ(Parse({"--network=host", "."}).network, "host");
  EXPECT_EQ(Parse({"--allow=network.host,security.insecure", "."}).allow.size(), 2u);
  EXPECT_EQ(Parse({"--progress=plain", "."}).progress, ProgressMode::kPlain);
  EXPECT_TRUE(Parse({"--progress=quiet", "."}).quiet);
  EXPECT_NE(Refusal({"--network=hst", "."}).message().find("did you mean host?"),
            std::string::npos);
  EXPECT_EQ(Refusal({"--allow=network.hots", "."}).message(),
            "--allow: unknown entitlement network.hots, did you mean network.host?");
  EXPECT_EQ(Parse({"--progress=tty", "."}).progress, ProgressMode::kTty);
  EXPECT_EQ(Parse({".", "--progress", "rawjson"}).progress, ProgressMode::kRawJson);
  EXPECT_EQ(Refusal({"--progress=plan", "."}).message(),
            "--progress: unknown mode \"plan\", did you mean plain?");
  EXPECT_EQ(Refusal({"-q", "--progress=plain", "."}).message(),
            "--quiet and a --progress other than auto and quiet cannot be used together");
}

TEST(BuildFlags, EntitlementsAreThoseOfBuildKitAndOneOfOurs) {
  EXPECT_EQ(Parse({"--allow=device", "--allow=device=v.com/a=b,alias=c", "--allow=", "."}).allow,
            (Words{"device", "device=v.com/a=b,alias=c"}));
  BuildOptions options = Parse({"--allow=buildx.local.delete,network.host", "."});
  EXPECT_TRUE(options.allow_local_delete);
  EXPECT_EQ(options.allow, (Words{"network.host"}));
  Refusal({"--allow=device=x,alis=c", "."});
  Refusal({"--allow=device=", "."});
  Refusal({"--allow=security.insecure=1", "."});
}

TEST(BuildFlags, PushNeedsAName) {
  EXPECT_EQ(Refusal({"--push", "."}).message(), "--push needs a name");
  EXPECT_EQ(Refusal({"--push", "-o", "type=image", "."}).message(), "--push needs a name");
  EXPECT_EQ(Refusal({"-o", "type=registry", "."}).message(),
            "--output type=registry: to push needs a name");
  EXPECT_EQ(Refusal({"--push", "-o", "type=oci,dest=f,name=x", "."}).message(),
            "--push needs a name");
  EXPECT_TRUE(Parse({"--push", "-o", "type=image,name=x", "."}).push);
  EXPECT_TRUE(Parse({"--push", "-t", "x", "-o", "out", "."}).push);
  EXPECT_NE(Refusal({"-t", "x", "-o", "type=image,push=true,push-by-digest=true", "."})
                .message()
                .find("without a tag"),
            std::string::npos);
  EXPECT_NE(Refusal({"-o", "type=image,name=UPPER", "."}).message().find("lowercase"),
            std::string::npos);
}

TEST(BuildFlags, OutputsMustNotShareAPlace) {
  EXPECT_EQ(Refusal({"-o", "-", "-o", "type=oci", "."}).message(),
            "several outputs go to standard output: type=tar,dest=- and type=oci");
  EXPECT_EQ(Refusal({"-o", "type=tar,dest=a/../f", "-o", "type=oci,dest=./f", "."}).message(),
            "several outputs go to f: type=tar,dest=a/../f and type=oci,dest=./f");
  EXPECT_EQ(Parse({"-o", "out", "-o", "type=tar,dest=f", "."}).outputs.size(), 2u);
}

TEST(BuildFlags, ImageIdFileNeedsAnImage) {
  EXPECT_TRUE(Refusal({"--iidfile", "i", "-o", "out", "."})
                  .message()
                  .starts_with("--iidfile: the outputs"));
  EXPECT_EQ(Parse({"--iidfile", "i", "-o", "out", "--load", "."}).iidfile, "i");
  EXPECT_EQ(Parse({"--iidfile", "i", "-o", "type=oci,dest=f", "."}).iidfile, "i");
}

TEST(BuildFlags, WhatIsWrittenHasAPlaceOfItsOwn) {
  auto refused = [](const char* first, const char* second) {
    return Refusal({first, second, "--load", "."}).message();
  };
  EXPECT_EQ(refused("--iidfile=a", "--metadata-file=./a"),
            "several outputs go to a: --iidfile and --metadata-file");
  EXPECT_EQ(refused("--metadata-file=a", "--output=type=oci,dest=a"),
            "several outputs go to a: type=oci,dest=a and --metadata-file");
  EXPECT_EQ(refused("--timeline=a", "--log-file=b/../a"),
            "several outputs go to a: --log-file and --timeline");
  EXPECT_EQ(Parse({"--iidfile=/dev/full", "--metadata-file=/dev/full", "--load", "."}).iidfile,
            "/dev/full");
  EXPECT_EQ(Parse({"--iidfile=/dev/stderr", "--log-file=/dev/stderr", "--load", "."}).reports.log,
            "/dev/stderr");
}

TEST(BuildFlags, LoadIsWantedByFlagOrByOutput) {
  EXPECT_TRUE(WantsLoad(Parse({"--load", "."})));
  EXPECT_TRUE(WantsLoad(Parse({"-o", "type=docker", "."})));
  EXPECT_FALSE(WantsLoad(Parse({"-o", "type=docker,dest=f", "."})));
  EXPECT_FALSE(WantsLoad(Parse({"."})));
}

}  // namespace
}  // namespace depot::options::build_flags_test
