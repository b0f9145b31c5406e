#include "plugin/options/cache_flags.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::options::cache_flags_test {
namespace {

using Attributes = std::map<std::string, std::string>;

CacheOptions From(std::string_view value) {
  CacheOptions options;
  Result<> added = AddCacheFrom(value, options);
  EXPECT_TRUE(added) << added.error().message();
  return options;
}

CacheOptions To(std::string_view value) {
  CacheOptions options;
  Result<> added = AddCacheTo(value, options);
  EXPECT_TRUE(added) << added.error().message();
  return options;
}

std::string Refused(Result<> (*add)(std::string_view, CacheOptions&), std::string_view value) {
  CacheOptions options;
  Result<> added = add(value, options);
  EXPECT_FALSE(added) << value;
  if (added) return "";
  EXPECT_EQ(added.error().code(), ErrorCode::kUsage);
  return added.error().message();
}

TEST(CacheFlags, NamesAloneAreRegistryCaches) {
  CacheOptions options = From("user/app:cache,registry.example:5000/app");
  ASSERT_EQ(options.from.size(), 2U);
  EXPECT_EQ(options.from[0].type, "registry");
  EXPECT_EQ(options.from[0].attrs, (Attributes{{"ref", "user/app:cache"}}));
  EXPECT_EQ(options.from[1].attrs, (Attributes{{"ref", "registry.example:5000/app"}}));
  EXPECT_EQ(To("user/app:cache").to[0].type, "registry");
}

TEST(CacheFlags, AttributesAsBuildxReadsThem) {
  CacheOptions options =
      To("type=registry,Ref=h/a:b,mode=max,compression=zstd,compression-level=3,"
         "image-manifest=true,oci-mediatypes=true,ignore-error=true");
  ASSERT_EQ(options.to.size(), 1U);
  EXPECT_TRUE(options.to[0].ignore_error);
  EXPECT_EQ(options.to[0].attrs, (Attributes{{"ref", "h/a:b"},
                                             {"mode", "max"},
                                             {"compression", "zstd"},
                                             {"compression-level", "3"},
                                             {"image-manifest", "true"},
                                             {"oci-mediatypes", "true"}}));
  EXPECT_TRUE(options.notices.empty());
  EXPECT_EQ(From("type=local,\"src=a,b\",tag=x").from[0].attrs,
            (Attributes{{"src", "a,b"}, {"tag", "x"}}));
  EXPECT_EQ(To("type=inline").to[0].type, "inline");
}

TEST(CacheFlags, WhatATypeNeedsIsAskedFor) {
  EXPECT_EQ(Refused(AddCacheTo, "type=registry"), "--cache-to: type=registry needs a name");
  EXPECT_EQ(Refused(AddCacheTo, "type=local"), "--cache-to: type=local needs a folder");
  EXPECT_EQ(Refused(AddCacheFrom, "type=local,dest=x"), "--cache-from: type=local needs a folder");
  EXPECT_EQ(Refused(AddCacheFrom, "ref=a"), "--cache-from: type is missing");
  Refused(AddCacheFrom, "type=registry,ref=UPPER");
  Refused(AddCacheFrom, "UPPER");
  Refused(AddCacheFrom, "type=local,src=x,digest=sha256:../../x");
  Refused(AddCacheTo, "type=registry,ref=a,mode=foo");
  Refused(AddCacheTo, "type=registry,ref=a,ignore-error=perhaps");
}

TEST(CacheFlags, AnUnknownTypeIsAnErrorOnlyWhereSomethingIsWritten) {
  EXPECT_EQ(Refused(AddCacheTo, "type=registri,ref=a"),
            "--cache-to: unknown type \"registri\", did you mean registry?");
  for (const char* value : {"type=other,x=y", "type=inline"}) {
    CacheOptions options = From(value);
    EXPECT_TRUE(options.from.empty());
    ASSERT_EQ(options.notices.size(), 1U);
    EXPECT_NE(options.notices[0].find("has no effect"), std::string::npos);
  }
}

TEST(CacheFlags, NothingIsPassedOverInSilence) {
  EXPECT_EQ(From("").notices[0], "--cache-from is empty, and has no effect");
  CacheOptions options = To("type=registry,ref=a,mod=max");
  ASSERT_EQ(options.notices.size(), 1U);
  EXPECT_NE(options.notices[0].find("did you mean mode?"), std::string::npos);
  EXPECT_EQ(options.to[0].attrs.at("mod"), "max");
}

TEST(CacheFlags, TheSamePlaceTwiceIsAMistake) {
  CacheOptions options = To("h/a:b");
  EXPECT_TRUE(AddCacheTo("type=registry,ref=h/a:c", options));
  EXPECT_TRUE(AddCacheTo("type=inline", options));
  EXPECT_FALSE(AddCacheTo("type=registry,ref=h/a:b", options));
}

TEST(CacheFlags, NoMessageHasACredential) {
  for (const char* value : {"type=s3,secret_access_key=hush,hush", "secret_access_key=hush",
                            "type=gha,token=\"hush\"", "token=hush,\"type=gha", "type=s3,hush"}) {
    EXPECT_EQ(Refused(AddCacheTo, value).find("hush"), std::string::npos) << value;
    EXPECT_EQ(Refused(AddCacheFrom, value).find("hush"), std::string::npos) << value;
  }
  CacheOptions options = To("type=s3,bucket=b,secret_acces_key=hush");
  EXPECT_EQ(options.notices[0].find("hush"), std::string::npos);
}

}  // namespace
}  // namespace depot::options::cache_flags_test
