#include "plugin/options/annotation_flag.h"

#include <gtest/gtest.h>

namespace depot::options::annotation_flag_test {
namespace {

/// As BuildKit's exporters are told.
std::string AttributeOf(const Annotation& annotation) {
  std::string platform =
      annotation.platform ? "[" + FormatPlatform(*annotation.platform) + "]" : "";
  return "annotation-" + annotation.type + platform + "." + annotation.key;
}

std::vector<std::string> Attributes(std::string_view text) {
  auto annotations = ParseAnnotation(text);
  std::vector<std::string> attributes;
  if (!annotations) {
    EXPECT_EQ(annotations.error().code(), ErrorCode::kUsage);
    return {annotations.error().message()};
  }
  for (const Annotation& annotation : *annotations)
    attributes.push_back(AttributeOf(annotation) + "=" + annotation.value);
  return attributes;
}

using Words = std::vector<std::string>;

TEST(AnnotationFlag, GoesToTheManifestUnlessATypeIsSaid) {
  EXPECT_EQ(Attributes("org.x/y=a=b:c"), (Words{"annotation-manifest.org.x/y=a=b:c"}));
  EXPECT_EQ(Attributes("index:k="), (Words{"annotation-index.k="}));
}

TEST(AnnotationFlag, SeveralTypesAndPlatforms) {
  EXPECT_EQ(Attributes("index,manifest[linux/aarch64],manifest-descriptor[linux/arm/v 7]:k=v"),
            Words{"--annotation: platform \"linux/arm/v 7\": the variant has a wrong form"});
  EXPECT_EQ(Attributes("index,manifest[linux/aarch64],manifest-descriptor[linux/arm/v7]:k=v"),
            (Words{"annotation-index.k=v", "annotation-manifest[linux/arm64].k=v",
                   "annotation-manifest-descriptor[linux/arm/v7].k=v"}));
  EXPECT_EQ(Attributes("manifest[linux/foo]:k=v"), Words{"annotation-manifest[linux/foo].k=v"});
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

TEST(AnnotationOfAttribute, ReadsWhatExportersRead) {
  for (const char* attribute :
       {"annotation-manifest.org.x/y.z", "annotation-index.k", "annotation-index-descriptor.k",
        "annotation-manifest-descriptor[linux/arm/v7].k.l",
        "annotation-manifest[linux/amd64].a]b"}) {
    auto annotation = AnnotationOfAttribute(attribute, "v");
    ASSERT_TRUE(annotation) << attribute;
    EXPECT_EQ(AttributeOf(*annotation), attribute);
    EXPECT_EQ(annotation->value, "v");
  }
  EXPECT_EQ(AttributeOf(*AnnotationOfAttribute("annotation.k.l]", "v")),
            "annotation-manifest.k.l]");
  EXPECT_EQ(AttributeOf(*AnnotationOfAttribute("annotation[linux/amd64].k", "v")),
            "annotation-manifest[linux/amd64].k");
  for (const char* other :
       {"name", "annotation", "annotation.", "annotation-foo.k", "annotations.k",
        "annotation-index[linux/amd64].k", "annotation-manifest[.k", "annotation-manifest[a"}) {
    EXPECT_FALSE(AnnotationOfAttribute(other, "v")) << other;
  }
}

}  // namespace
}  // namespace depot::options::annotation_flag_test
