#include "plugin/command/listing.h"

#include <gtest/gtest.h>

namespace depot::command::listing_test {
namespace {

Listing Two() {
  return {{"Build ID", "Organization", "Duration (s)"},
          {"id", "", "duration"},
          {false, false, true},
          {{"b1", "acme", "7"}, {"b,2", "x", "12"}}};
}

TEST(Listing, ATableIsAlignedAndItsHeadingsStandOut) {
  EXPECT_EQ(FormatListing(Two(), ListFormat::kTable),
            "BUILD ID   ORGANIZATION   DURATION (S)\n"
            "b1         acme           7\n"
            "b,2        x              12\n");
}

TEST(Listing, ControlCharactersOfOthersDoNotReachTheScreen) {
  Listing listing = Two();
  listing.rows[0][0] = "a\x1b[31m\tb";
  std::string table = FormatListing(listing, ListFormat::kTable);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(table.find('\t'), std::string::npos);
}

TEST(Listing, CsvLeavesOutWhatHasNoKeyAndQuotesWhatNeedsIt) {
  EXPECT_EQ(FormatListing(Two(), ListFormat::kCsv), "Build ID,Duration (s)\nb1,7\n\"b,2\",12\n");
  Listing none = Two();
  none.rows.clear();
  EXPECT_EQ(FormatListing(none, ListFormat::kCsv), "");
}

TEST(Listing, JsonHasNumbersWhereTheCellsAreNumbers) {
  std::string json = FormatListing(Two(), ListFormat::kJson);
  EXPECT_NE(json.find("\"duration\": 7"), std::string::npos) << json;
  EXPECT_NE(json.find("\"id\": \"b1\""), std::string::npos) << json;
  EXPECT_EQ(json.find("acme"), std::string::npos) << json;
}

TEST(Listing, TimesAreInUtcAndNoTimeIsNoText) {
  EXPECT_EQ(FormatTime(0), "");
  EXPECT_EQ(FormatTime(1'700'000'000), "2023-11-14T22:13:20Z");
}

}  // namespace
}  // namespace depot::command::listing_test
