#include "driver/session/stream_metadata.h"

#include <gtest/gtest.h>

namespace depot::session::stream_metadata_test {
namespace {

using Values = std::vector<std::string>;

TEST(StreamMetadata, KeepsRepeatedValuesInOrder) {
  rpc::Metadata metadata{{"followpaths", "b"}, {"dir-name", "context"}, {"followpaths", "a"}};
  EXPECT_EQ(*DecodedValues(metadata, "followpaths"), (Values{"b", "a"}));
  EXPECT_EQ(*DecodedValues(metadata, "include-patterns"), Values{});
}

TEST(StreamMetadata, TakesValuesLiterallyWithoutTheMarker) {
  rpc::Metadata metadata{{"exclude-patterns", "%41+b"}, {"exclude-patterns-encoded", "0"}};
  EXPECT_EQ(*DecodedValues(metadata, "exclude-patterns"), Values{"%41+b"});
}

TEST(StreamMetadata, DecodesEveryValueWithTheMarker) {
  rpc::Metadata metadata{{"exclude-patterns", "%C3%A4+b%2B"},
                         {"exclude-patterns", "plain"},
                         {"exclude-patterns-encoded", "1"}};
  EXPECT_EQ(*DecodedValues(metadata, "exclude-patterns"), (Values{"\xC3\xA4 b+", "plain"}));
}

TEST(StreamMetadata, RefusesMalformedEscapes) {
  for (const char* text : {"%", "a%4", "%zz", "%-1", "%4", "%+1"}) {
    EXPECT_FALSE(QueryUnescape(text)) << text;
  }
  EXPECT_EQ(*QueryUnescape("%00%ff"), std::string("\0\xFF", 2));
}

}  // namespace
}  // namespace depot::session::stream_metadata_test
