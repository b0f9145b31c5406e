#include "plugin/options/annotation_flag.h"

#include <gtest/gtest.h>

namespace depot::options {
namespace {

std::vector<std::string> Attributes(std::string_view text) {
  auto annotations = ParseAnnotation(text);
  std::vector<std::string> attributes;
  if (!annotations) {
    EXPECT_EQ(annotations.error().code(), ErrorCode::kUsage);
    return {annotations.error().message()};
  }
  for (const Annotation& annotation : *annotations)
    attributes.push_back(AnnotationAttribute(annotation) + "=" + annotation.value);
  return attributes;
}

using Words = std::vector<std::string>;

TEST(AnnotationFlag, GoesToTheManifestUnlessATypeIsSaid) {
  EXPECT_EQ(Attributes("org.x/y=a=b:c"), (Words{"annotation-manifest.org.x/y=a=b:c"}));
  EXPECT_EQ(Attributes("index:k="), (Words{"annotation-index.k="}));
}

TEST(AnnotationFlag, SeveralTypesAndPlatforms) {
  EXPECT_EQ(Attributes("index,manifest[linux/aarch64],manifest-descriptor[arm/v7]:k=v"),
            Words{"--annotation: platform \"arm/v7\": unknown operating system \"arm\""});
  EXPECT_EQ(Attributes("index,manifest[linux/aarch64],manifest-descriptor[linux/arm/v7]:k=v"),
            (Words{"annotation-index.k=v", "annotation-manifest[linux/arm64].k=v",
                   "annotation-manifest-descriptor[linux/arm/v7].k=v"}));
}

TEST(AnnotationFlag, WrongFormsAreSaid) {
  EXPECT_EQ(Attributes("foo"), Words{"--annotation: \"foo\" is not KEY=VALUE"});
  EXPECT_EQ(Attributes(""), Words{"--annotation: \"\" is not KEY=VALUE"});
  EXPECT_EQ(Attributes("=v"), Words{"--annotation: the key is empty"});
  EXPECT_EQ(Attributes("index:=v"), Words{"--annotation: the key is empty"});
  EXPECT_EQ(Attributes("inedx:k=v"),
            Words{"--annotation: unknown type \"inedx\", did you mean index?"});
  EXPECT_EQ(Attributes("index[linux/amd64]:k=v"),
            Words{"--annotation: index has no platform: the index is one for all of them"});
  EXPECT_EQ(Attributes("manifest[linux/amd64:k=v"),
            Words{"--annotation: \"manifest[linux/amd64\" has no closing bracket"});
  EXPECT_EQ(Attributes("manifest[]:k=v"), Words{"--annotation: the platform is empty"});
}

}  // namespace
}  // namespace depot::options
