#include "plugin/bake/entries.h"

#include <gtest/gtest.h>

namespace depot::bake::entries_test {
namespace {

TEST(Entries, CachesAreNamesOrAttributes) {
  EXPECT_EQ(*ParseCaches("a/b,c/d"), Entries({{{"type", "registry"}, {"ref", "a/b"}},
                                              {{"type", "registry"}, {"ref", "c/d"}}}));
  EXPECT_EQ(*ParseCaches("type=gha,Mode=Max"), Entries({{{"type", "gha"}, {"mode", "Max"}}}));
  EXPECT_FALSE(ParseCaches("ref=x"));
  EXPECT_TRUE(ParseCaches("")->empty());
}

TEST(Entries, OutputsArePathsOrAttributes) {
  EXPECT_EQ(*ParseOutputs("out"), Entries({{{"type", "local"}, {"dest", "out"}}}));
  EXPECT_EQ(*ParseOutputs("-"), Entries({{{"type", "tar"}, {"dest", "-"}}}));
  EXPECT_EQ(*ParseOutputs("type=image,\"name=a,b\""),
            Entries({{{"type", "image"}, {"name", "a,b"}}}));
  EXPECT_FALSE(ParseOutputs("type=local,x"));
}

TEST(Entries, SecretsHaveAnId) {
  EXPECT_EQ(*ParseSecrets("type=env,id=a,src=V"), Entries({{{"id", "a"}, {"env", "V"}}}));
  EXPECT_FALSE(ParseSecrets("src=f"));
  EXPECT_FALSE(ParseSecrets("id=a,x=y"));
}

TEST(Entries, AnAttestationThatIsOnSaysNothingOfIt) {
  EXPECT_EQ(*ParseAttests("type=sbom,disabled=false"), Entries({{{"type", "sbom"}}}));
  EXPECT_EQ(*ParseAttests("type=sbom,disabled=1"),
            Entries({{{"type", "sbom"}, {"disabled", "true"}}}));
}

TEST(Entries, ARecordReadsBackAsTheSame) {
  const Entry entry{{"type", "image"}, {"name", "a,\"b\""}, {"push", "true"}};
  EXPECT_EQ(*ParseOutputs(FormatRecord(entry, "type")), Entries{entry});
}

TEST(Entries, OfEqualOnesTheLastEntryOfTheListTakesThePlace) {
  const auto named = [](const char* name) { return Entry{{"ref", name}}; };
  Entries entries{named("a"), named("a"), named("b"), named("c")};
  DropRepeats(entries);
  EXPECT_EQ(entries, Entries({named("a"), named("c"), named("b")}));
}

}  // namespace
}  // namespace depot::bake::entries_test
