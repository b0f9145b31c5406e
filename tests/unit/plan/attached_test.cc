#include "plugin/plan/attached.h"

#include <gtest/gtest.h>

namespace depot::plan::attached_test {
namespace {

const std::string kDefault = "mode=min,inline-only=true";

std::string Line(const std::string& attribute,
                 const std::vector<std::string>& types,
                 const options::BuildOptions& options = {}) {
  BuildPlan plan;
  if (!attribute.empty()) plan.request.frontend_attrs["attest:provenance"] = attribute;
  for (const std::string& type : types) {
    plan.request.exporters.push_back({type, {}});
    plan.destinations.emplace_back();
  }
  return DescribeProvenance(options, plan);
}

TEST(DescribeProvenance, OfTheDefault) {
  const std::string line =
      "provenance (mode=min) is attached to the image by default; --provenance=false leaves it out";
  EXPECT_EQ(Line(kDefault, {"image"}), line);
  EXPECT_EQ(Line(kDefault, {"local", "moby"}), line);
  EXPECT_EQ(Line("mode=min", {"oci"}), line) << "an archive of several builders";
  EXPECT_EQ(Line(kDefault, {"oci"}), "");
  EXPECT_EQ(Line(kDefault, {"local"}), "");
  EXPECT_EQ(Line(kDefault, {}), "");
  EXPECT_EQ(Line("", {"image"}), "");
}

TEST(DescribeProvenance, OfWhatWasAskedFor) {
  options::BuildOptions options;
  options.attests["provenance"] = {};
  EXPECT_EQ(Line("type=provenance,mode=min", {"oci"}, options),
            "provenance (mode=min) is attached to the image");
  EXPECT_EQ(Line("type=provenance", {"local"}, options),
            "provenance (mode=max) is written to provenance.json");
  options.build_args.emplace_back("A", "b");
  EXPECT_EQ(
      Line("type=provenance,mode=max", {"image", "tar"}, options),
      "provenance (mode=max) is attached to the image and written to provenance.json, with the "
      "value of each --build-arg");
}

}  // namespace
}  // namespace depot::plan::attached_test
