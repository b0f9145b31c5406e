#include "plugin/options/output_flag.h"

#include <gtest/gtest.h>

namespace depot::options::output_flag_test {
namespace {

Output Parse(std::string_view text) {
  auto output = ParseOutput(text);
  if (output) return *output;
  ADD_FAILURE() << output.error().message();
  return {};
}

std::string Refusal(std::string_view text) {
  auto output = ParseOutput(text);
  if (output) return "accepted";
  EXPECT_EQ(output.error().code(), ErrorCode::kUsage);
  return output.error().message();
}

TEST(OutputFlag, PathAloneIsLocal) {
  EXPECT_EQ(Parse("out").type, "local");
  EXPECT_EQ(Parse("out/a b").dest, "out/a b");
  EXPECT_EQ(Parse("odd=name").dest, "odd=name");
}

TEST(OutputFlag, DashIsATarToStandardOutput) {
  Output output = Parse("-");
  EXPECT_EQ(output.type, "tar");
  EXPECT_EQ(output.dest, "-");
}

TEST(OutputFlag, AttributesOfEachType) {
  for (const char* text :
       {"type=local,dest=d,platform-split=false,attestation-prefix=p,mode=copy",
        "type=tar,dest=f,source-date-epoch=0", "type=oci,dest=f,tar=true,compression=zstd",
        "type=docker,dest=f,name=a/b", "type=docker", "type=registry,name=r/x,force-compression=1",
        "type=image,push=true,push-by-digest=true,name=r/x,unpack=false,store=true",
        "type=image,annotation.a=b,annotation-manifest[linux/amd64].x.y=z", "type=cacheonly"}) {
    EXPECT_TRUE(ParseOutput(text)) << text;
  }
}

TEST(OutputFlag, KeysAreTrimmedAndLowered) {
  Output output = Parse(" Type=image, NAME =r/X:1");
  EXPECT_EQ(output.attrs.at("name"), "r/X:1");
}

TEST(OutputFlag, QuotedFieldMayHoldACommaAndAQuote) {
  EXPECT_EQ(Parse("type=oci,\"dest=a,\"\"b\"").dest, "a,\"b");
  EXPECT_NE(Refusal("type=oci,\"dest=a").find("not closed"), std::string::npos);
  EXPECT_NE(Refusal("type=oci,dest=\"a").find("quote inside a field"), std::string::npos);
  EXPECT_NE(Refusal("\"type=oci\"x").find("behind a closing quote"), std::string::npos);
}

TEST(OutputFlag, UnknownTypesAndAttributesNameTheNearest) {
  EXPECT_EQ(Refusal("type=regsitry"),
            "--output: unknown type \"regsitry\", did you mean registry?");
  EXPECT_EQ(Refusal("type=foo"),
            "--output: unknown type \"foo\", known are: local, tar, oci, docker, image, registry, "
            "cacheonly");
  EXPECT_EQ(Refusal("type=image,compresion=zstd"),
            "--output: type=image has no attribute \"compresion\", did you mean compression?");
  EXPECT_EQ(Refusal("type=local,dst=x"),
            "--output: type=local has no attribute \"dst\", did you mean dest?");
  EXPECT_TRUE(Refusal("type=local,dest=x,push=true").starts_with("--output: type=local has no"));
  EXPECT_TRUE(Refusal("type=image,dest=x").starts_with("--output: type=image has no"));
}

TEST(OutputFlag, TypeMustBeSaid) {
  EXPECT_EQ(Refusal("tpye=local"), "--output: type is missing");
  EXPECT_EQ(Refusal("Type=local"), "--output: dest is required for local exporter");
  EXPECT_EQ(Refusal("dest=out,name=x"), "--output: type is missing");
  EXPECT_EQ(Refusal("out,dir"), "--output: \"out\" must be a key=value pair");
}

TEST(OutputFlag, ALoneFieldIsAFolderAsForBuildx) {
  for (const char* folder : {"dest=x", "name=x", "push=true", "a=b=c", "=x"}) {
    EXPECT_EQ(Parse(folder).type, "local") << folder;
    EXPECT_EQ(Parse(folder).dest, folder);
  }
}

TEST(OutputFlag, EmptyIsAnError) {
  EXPECT_EQ(Refusal(""), "--output: the value is empty");
  EXPECT_EQ(Refusal("type=tar,dest="), "--output: dest is empty");
}

TEST(OutputFlag, LocalNeedsADirectory) {
  EXPECT_EQ(Refusal("type=local"), "--output: dest is required for local exporter");
  EXPECT_EQ(Refusal("type=local,dest=-"), "--output: type=local cannot go to standard output");
}

TEST(OutputFlag, ValuesAreChecked) {
  EXPECT_EQ(Refusal("type=image,push=yes"), "--output: push is true or false, not \"yes\"");
  EXPECT_EQ(Refusal("type=image,compression=gzipp"),
            "--output: unknown compression \"gzipp\", did you mean gzip?");
  EXPECT_NE(Refusal("type=image,compression-level=x").find("is a number"), std::string::npos);
  EXPECT_NE(Refusal("type=image,compression-level=23").find("is a number"), std::string::npos);
  EXPECT_NE(Refusal("type=local,dest=d,mode=foo").find("copy or delete"), std::string::npos);
}

TEST(OutputFlag, ALayoutIsADirectory) {
  EXPECT_EQ(Parse("type=oci,dest=d,tar=false").attrs.at("tar"), "false");
  for (const char* text : {"type=oci,tar=false", "type=docker,tar=false,dest=-"})
    EXPECT_NE(Refusal(text).find("dest is required"), std::string::npos) << text;
}

TEST(OutputFlag, ModeIsOnlyThereWhenItDeletes) {
  EXPECT_EQ(Parse("type=local,dest=d,mode=delete").attrs.at("mode"), "delete");
  EXPECT_TRUE(Parse("type=local,dest=d,mode=copy").attrs.empty());
}

TEST(OutputFlag, AnotherEngineIsChosenElsewhere) {
  EXPECT_NE(Refusal("type=docker,context=c").find("context=NAME"), std::string::npos);
}

}  // namespace
}  // namespace depot::options::output_flag_test
