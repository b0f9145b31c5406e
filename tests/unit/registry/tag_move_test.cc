#include "driver/registry/tag_move.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/registry/merge_index.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::registry::tag_move_test {
namespace {

using std::chrono::milliseconds;
using test::Connection;
using test::SeenRequest;

constexpr const char* kTag = "/v2/a/manifests/1";

/// The tag 1 of a repository of images, each for the architecture that its content begins with.
class TagMoveTest : public testing::Test {
 protected:
  static std::string ConfigOf(const std::string& architecture) {
    return Cat(R"({"os":"linux","architecture":")", architecture, "\"}");
  }

  static std::string ManifestOf(const std::string& architecture, const std::string& word) {
    const std::string config = ConfigOf(architecture);
    return Cat(R"({"annotations":{"word":")", word, R"("},"config":{"mediaType":")", kOciConfigType,
               R"(","digest":")", DigestOf(config), R"(","size":)", config.size(),
               R"(},"layers":[]})");
  }

  Descriptor AddImage(const std::string& architecture, const std::string& word = "first") {
    server_.AddBlob("a", ConfigOf(architecture));
    Descriptor image =
        server_.AddManifest("a", "", std::string(kOciManifestType), ManifestOf(architecture, word));
    SetPlatform(image, *Json::Parse(ConfigOf(architecture)));
    return image;
  }

  AssembledIndex IndexOf(const std::vector<Descriptor>& images) const {
    IndexAnnotations wanted;
    wanted.index = annotations_;
    return *AssembleIndex(images, {}, wanted);
  }

  /// What the tag names from now on.
  void Name(const std::vector<Descriptor>& images, const std::string& pipeline = "") {
    IndexAnnotations wanted;
    if (!pipeline.empty()) wanted.index["depot.pipeline.iid"] = pipeline;
    const AssembledIndex index = *AssembleIndex(images, {}, wanted);
    server_.AddManifest("a", "1", index.media_type, index.bytes);
  }

  void Guard(std::uint64_t pipeline) {
    rules_.pipeline = Pipeline{pipeline};
    AnnotatePipeline(*rules_.pipeline, annotations_);
  }

  Result<MovedTag> Move(const std::vector<Descriptor>& images) {
    const AssembledIndex ours = IndexOf(images);
    const auto repository = registries_->Open(server_.Name("a", "1"), Access::kPush);
    return MoveTag(
        *repository, server_.Name("a", "1"), {ours, annotations_, rules_, milliseconds(0)},
        [this](std::string line) { said_ += Cat(line, '\n'); }, Cancel::Never());
  }

  std::vector<std::string> Named() {
    std::vector<std::string> digests;
    const ImageIndex index = *ParseIndex(server_.Content("a", "1"));
    for (const Descriptor& entry : index.manifests)
      digests.push_back(entry.digest);
    return digests;
  }

  /// Somebody else does something just before our request number `nth` (from 0).
  void Before(const std::string& method, int nth, std::function<void()> act) {
    server_.set_fault(
        [=, acts = std::move(act)](Connection&, const SeenRequest& request, int before) {
          if (request.method == method && request.target == kTag && before == nth) acts();
          return false;
        });
  }

  RegistryServer server_;
  OneCredential credentials_{std::nullopt};
  Keyring keyring_{credentials_, {}};
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  std::unique_ptr<Registries> registries_ = MakeRegistries(*client_, keyring_, {});
  TagRules rules_;
  std::map<std::string, std::string> annotations_;
  std::string said_;
};

TEST_F(TagMoveTest, AnOlderPipelineDoesNotMoveIt) {
  const Descriptor theirs = AddImage("amd64", "theirs");
  const Descriptor ours = AddImage("amd64", "ours");
  Guard(5);
  for (const auto& [present, moves] : {std::pair{"6", false},
                                       {"999999999999999999", false},
                                       {"5", true},
                                       {"4", true},
                                       {"", true},
                                       {"9999999999999999999999", true},
                                       {"many", true}}) {
    Name({theirs}, present);
    const auto moved = Move({ours});
    ASSERT_TRUE(moved) << moved.error().message();
    EXPECT_EQ(moved->stayed.empty(), moves) << present;
    EXPECT_EQ(Named(), std::vector{moves ? ours.digest : theirs.digest}) << present;
    EXPECT_EQ(server_.Content("a", moved->index.digest), moved->index.bytes) << "it is pushed";
  }
}

TEST_F(TagMoveTest, WhatStaysIsSaid) {
  Name({AddImage("amd64", "theirs")}, "6");
  Guard(5);
  const auto moved = Move({AddImage("amd64")});
  EXPECT_EQ(moved->stayed, Cat("the tag ", server_.host(),
                               "/a:1 stays: it names an image of pipeline 6, and this "
                               "is pipeline 5; pushed ",
                               server_.host(), "/a@", moved->index.digest));
  // The summary lists what begins so.
  EXPECT_NE(said_.find(Cat("pushed ", server_.host(), "/a@", moved->index.digest,
                           ", and the tag 1 stays where it was")),
            std::string::npos)
      << said_;
}

TEST_F(TagMoveTest, NumbersOfAnotherProjectSayNothing) {
  Name({AddImage("amd64", "theirs")}, "6");
  rules_.pipeline = Pipeline{5, "git.example/1"};
  const auto moved = Move({AddImage("amd64")});
  EXPECT_EQ(moved->stayed, "");
  EXPECT_NE(said_.find("of another project"), std::string::npos);
}

TEST_F(TagMoveTest, OneImageAloneCarriesItsPipelineToo) {
  server_.AddManifest("a", "1", std::string(kOciManifestType),
                      R"({"annotations":{"depot.pipeline.iid":"6"},"config":{},"layers":[]})");
  Guard(5);
  EXPECT_NE(Move({AddImage("amd64")})->stayed, "");
}

TEST_F(TagMoveTest, ATagThatIsNotThereIsMade) {
  Guard(5);
  rules_.merge = true;
  const Descriptor image = AddImage("amd64");
  ASSERT_TRUE(Move({image}));
  EXPECT_EQ(Named(), std::vector{image.digest});
  EXPECT_EQ(ParseIndex(server_.Content("a", "1"))->annotations.at("depot.pipeline.iid"), "5");
}

TEST_F(TagMoveTest, ALaterPipelineThatComesInBetweenStays) {
  server_.KnowConditions();
  Guard(5);
  for (const char* before : {"", "4"}) {
    const Descriptor later = AddImage("amd64", Cat("later ", before));
    server_.Remove(kTag);
    if (*before != '\0') Name({AddImage("amd64", "earlier")}, before);
    bool came = false;
    server_.set_fault([&](Connection&, const SeenRequest& request, int) {
      if (request.method == "PUT" && request.target == kTag && !came) {
        came = true;
        Name({later}, "6");
      }
      return false;
    });
    const auto moved = Move({AddImage("amd64")});
    ASSERT_TRUE(moved) << moved.error().message();
    EXPECT_NE(moved->stayed, "") << before;
    EXPECT_EQ(Named(), std::vector{later.digest});
  }
}

TEST_F(TagMoveTest, OthersPlatformsStay) {
  const Descriptor arm = AddImage("arm64");
  Name({AddImage("amd64", "old"), arm});
  rules_.merge = true;
  const Descriptor amd = AddImage("amd64", "new");
  const auto moved = Move({amd});
  ASSERT_TRUE(moved) << moved.error().message();
  EXPECT_EQ(Named(), (std::vector{amd.digest, arm.digest}));
  EXPECT_EQ(moved->index.bytes, server_.Content("a", "1"));
}

TEST_F(TagMoveTest, OneImageAloneIsMergedWith) {
  const Descriptor arm = AddImage("arm64");
  server_.AddManifest("a", "1", std::string(kOciManifestType), ManifestOf("arm64", "first"));
  rules_.merge = true;
  const Descriptor amd = AddImage("amd64");
  ASSERT_TRUE(Move({amd}));
  EXPECT_EQ(Named(), (std::vector{arm.digest, amd.digest}));
}

TEST_F(TagMoveTest, WithConditionsWhoComesSecondMergesAnew) {
  server_.KnowConditions();
  rules_.merge = true;
  const Descriptor amd = AddImage("amd64");
  const Descriptor arm = AddImage("arm64");
  Before("PUT", 0, [&] { Name({arm}); });
  const auto moved = Move({amd});
  ASSERT_TRUE(moved) << moved.error().message();
  EXPECT_EQ(Named(), (std::vector{arm.digest, amd.digest}));
  EXPECT_EQ(server_.Count("GET /v2/a/manifests/1"), 2) << "what was written on a condition stands";
}

TEST_F(TagMoveTest, WithoutConditionsWhatWasUndoneIsDoneAgain) {
  rules_.merge = true;
  const Descriptor old = AddImage("amd64", "old");
  const Descriptor amd = AddImage("amd64");
  const Descriptor arm = AddImage("arm64");
  Name({old});
  // It had read the tag before we wrote.
  Before("GET", 1, [&] { Name({old, arm}); });
  const auto moved = Move({amd});
  ASSERT_TRUE(moved) << moved.error().message();
  EXPECT_EQ(Named(), (std::vector{amd.digest, arm.digest}));
  EXPECT_EQ(server_.Count("PUT /v2/a/manifests/1"), 2);
}

TEST_F(TagMoveTest, ALaterImageForOurPlatformIsLeftAlone) {
  rules_.merge = true;
  const Descriptor later = AddImage("amd64", "later");
  Before("GET", 1, [&] { Name({later}); });
  ASSERT_TRUE(Move({AddImage("amd64")}));
  EXPECT_EQ(Named(), std::vector{later.digest});
  EXPECT_EQ(server_.Count("PUT /v2/a/manifests/1"), 1);
}

TEST_F(TagMoveTest, AnAnswerThatGotLostIsNoRace) {
  server_.KnowConditions();
  rules_.merge = true;
  const Descriptor amd = AddImage("amd64");
  const AssembledIndex ours = IndexOf({amd});
  server_.set_fault([&](Connection& connection, const SeenRequest& request, int before) {
    if (request.method != "PUT" || before > 0) return false;
    server_.AddManifest("a", "1", ours.media_type, request.body);
    connection.Break();
    return true;
  });
  const auto moved = Move({amd});
  ASSERT_TRUE(moved) << moved.error().message();
  EXPECT_EQ(Named(), std::vector{amd.digest});
}

TEST_F(TagMoveTest, WhatIsAlwaysAnotherEnds) {
  rules_.merge = true;
  server_.set_fault([](Connection& connection, const SeenRequest& request, int) {
    if (request.method != "PUT") return false;
    connection.Reply(412, R"({"errors":[{"code":"PRECONDITION"}]})");
    return true;
  });
  const auto moved = Move({AddImage("amd64")});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(server_.Count("PUT"), 10);
}

TEST_F(TagMoveTest, WhatCannotBeMergedWithIsLeftAlone) {
  rules_.merge = true;
  const std::string chart =
      Cat(R"({"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":")",
          DigestOf("{}"), R"(","size":2},"layers":[]})");
  for (const auto& [type, bytes] :
       {std::pair{kOciManifestType, chart}, {kOciIndexType, std::string(R"({"manifests":7})")}}) {
    server_.AddManifest("a", "1", std::string(type), bytes);
    const auto moved = Move({AddImage("amd64")});
    ASSERT_FALSE(moved);
    EXPECT_NE(moved.error().message().find("--merge-index: what "), std::string::npos)
        << moved.error().message();
    EXPECT_EQ(server_.Content("a", "1"), bytes);
  }
}

}  // namespace
}  // namespace depot::registry::tag_move_test
