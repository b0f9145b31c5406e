#include "plugin/options/attest_flags.h"

#include <gtest/gtest.h>

namespace depot::options::attest_flags_test {
namespace {

using Attrs = std::map<std::string, std::string>;

std::string Message(const Result<>& result) {
  if (result) return "accepted";
  EXPECT_EQ(result.error().code(), ErrorCode::kUsage);
  return result.error().message();
}

std::string AttestRefusal(std::string_view value) {
  AttestFlags flags;
  return Message(flags.AddAttest(value));
}

TEST(AttestFlags, AttestTakesTypeAndAttributesInAnyOrder) {
  AttestFlags flags;
  EXPECT_EQ(Message(flags.AddAttest("mode=min,type=provenance,builder-id=http://b,Version=v1")),
            "accepted");
  EXPECT_EQ(flags.result().at("provenance").attrs,
            (Attrs{{"mode", "min"}, {"builder-id", "http://b"}, {"version", "v1"}}));
  EXPECT_EQ(Message(flags.AddAttest("Own_Setting=Yes,type=sbom,\"GENERATOR=a,b\"")), "accepted");
  EXPECT_EQ(flags.result().at("sbom").attrs, (Attrs{{"Own_Setting", "Yes"}, {"generator", "a,b"}}));
}

TEST(AttestFlags, DisabledInsideAListCounts) {
  AttestFlags flags;
  EXPECT_EQ(Message(flags.AddAttest("type=provenance,disabled=true,mode=max")), "accepted");
  EXPECT_TRUE(flags.result().at("provenance").disabled);
  EXPECT_EQ(Message(flags.AddShorthand("sbom", "disabled=1")), "accepted");
  EXPECT_TRUE(flags.result().at("sbom").disabled);
}

TEST(AttestFlags, ShorthandIsASwitchOrAttributes) {
  AttestFlags flags;
  EXPECT_EQ(Message(flags.AddShorthand("sbom", "t")), "accepted");
  EXPECT_EQ(flags.result().at("sbom"), (Attestation{"sbom", false, {}}));
  EXPECT_EQ(Message(flags.AddShorthand("provenance", "max")),
            "--provenance: \"max\" is neither true nor false nor key=value");
  EXPECT_EQ(Message(flags.AddShorthand("provenance", "")), "accepted");
  EXPECT_FALSE(flags.result().contains("provenance"));
}

TEST(AttestFlags, SameWishTwiceIsFine) {
  AttestFlags flags;
  EXPECT_EQ(Message(flags.AddShorthand("provenance", "mode=max")), "accepted");
  EXPECT_EQ(Message(flags.AddAttest("type=provenance,mode=max,disabled=false")), "accepted");
  EXPECT_EQ(Message(flags.AddShorthand("provenance", "mode=max")), "accepted");
}

TEST(AttestFlags, DifferentWishesForOneTypeNameBothFlags) {
  AttestFlags flags;
  EXPECT_EQ(Message(flags.AddShorthand("provenance", "mode=max")), "accepted");
  EXPECT_EQ(Message(flags.AddAttest("type=provenance,mode=min")),
            "--provenance=mode=max and --attest type=provenance,mode=min want different things of "
            "provenance");
  EXPECT_EQ(Message(flags.AddShorthand("provenance", "false")),
            "--provenance=mode=max and --provenance=false want different things of provenance");
}

TEST(AttestFlags, UnknownTypesAndAttributesNameTheNearest) {
  EXPECT_EQ(AttestRefusal("type=provnance"),
            "--attest: unknown type \"provnance\", did you mean provenance?");
  EXPECT_EQ(AttestRefusal("type=vex"),
            "--attest: unknown type \"vex\", known are: provenance, sbom");
  EXPECT_EQ(AttestRefusal("type=provenance,mdoe=max"),
            "--attest: provenance has no attribute \"mdoe\", did you mean mode?");
  EXPECT_EQ(AttestRefusal("type=provenance,mode=foo"),
            "--attest: unknown mode \"foo\", known are: min, max, full");
  EXPECT_EQ(AttestRefusal("type=provenance,version=v2"),
            "--attest: unknown version \"v2\", did you mean v1?");
  EXPECT_EQ(AttestRefusal("type=sbom,genrator=x"),
            "--attest: sbom has no attribute \"genrator\", did you mean generator?");
  EXPECT_EQ(AttestRefusal("type=provenance,reproducible=maybe"),
            "--attest: reproducible is true or false, not \"maybe\"");
}

TEST(AttestFlags, TypeMustBeSaidOnce) {
  EXPECT_EQ(AttestRefusal("mode=max"), "--attest: the type is missing");
  EXPECT_EQ(AttestRefusal("type=sbom,type=provenance"), "--attest: several types");
  AttestFlags flags;
  EXPECT_EQ(Message(flags.AddShorthand("sbom", "type=provenance")), "--sbom: several types");
  EXPECT_EQ(AttestRefusal("sbom"), "--attest: \"sbom\" must be a key=value pair");
  EXPECT_NE(AttestRefusal(""), "accepted");
}

}  // namespace
}  // namespace depot::options::attest_flags_test
