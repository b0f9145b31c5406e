#include "plugin/deliver/stream_targets.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::deliver {
namespace {

class NoSink final : public EventSink {
 public:
  void Emit(Event) override {}
};

/// An Engine that reads up to `most_` bytes, and then says `answer_`.
class ReadingEngine final : public docker::Engine {
 public:
  Result<docker::EngineInfo> Info(const Cancel&) override { return docker::EngineInfo(); }

  Result<> Load(const std::function<Result<std::size_t>(char*, std::size_t)>& read,
                Step&,
                const Cancel&) override {
    char piece[1000];
    while (loaded_.size() < most_) {
      Result<std::size_t> got = read(piece, sizeof piece);
      ended_by_error_ = !got;
      if (!got) return Fail(got.error());
      if (*got == 0) break;
      loaded_.append(piece, *got);
    }
    return answer_;
  }

  Result<std::string> Push(const std::string&,
                           const std::optional<registry::Credential>&,
                           EventSink&,
                           const Cancel&) override {
    return "";
  }

  Result<> Pull(const std::string&,
                const std::optional<Platform>&,
                const std::optional<registry::Credential>&,
                EventSink&,
                const Cancel&) override {
    return {};
  }

  Result<std::vector<std::string>> Images(const Cancel&) override {
    return std::vector<std::string>();
  }

  Result<docker::EngineImage> Image(const std::string&, const Cancel&) override {
    return Fail(ErrorCode::kNotFound, "no such image");
  }

  Result<> Remove(const std::string&, const Cancel&) override { return {}; }

  Result<> Tag(const std::string&, const std::string&, const Cancel&) override { return {}; }

  std::size_t most_ = SIZE_MAX;
  Result<> answer_;
  std::string loaded_;
  bool ended_by_error_ = false;
};

class LoadTarget : public testing::Test {
 protected:
  NoSink sink_;
  ReadingEngine engine_;
  std::unique_ptr<session::StreamTarget> target_ = MakeLoadTarget(engine_, sink_);
};

TEST_F(LoadTarget, GivesTheEngineEveryByteAndWaitsForItsAnswer) {
  std::string archive;
  for (int i = 0; i < 3'000'000; ++i)
    archive.push_back(static_cast<char>(i % 251));
  for (std::size_t at = 0; at < archive.size(); at += 700'000) {
    ASSERT_TRUE(target_->Write(std::string_view(archive).substr(at, 700'000), Cancel::Never()));
  }
  ASSERT_TRUE(target_->End(Cancel::Never()));
  EXPECT_EQ(engine_.loaded_, archive);
}

TEST_F(LoadTarget, AnEngineThatGivesUpEndsTheExportWithItsWords) {
  engine_.most_ = 1;
  engine_.answer_ = Fail(ErrorCode::kFailed, "no space left on device");
  Result<> written;
  while (written)
    written = target_->Write(std::string(100'000, 'x'), Cancel::Never());
  EXPECT_EQ(written.error().message(), "no space left on device");
  Result<> ended = target_->End(Cancel::Never());
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message(), "no space left on device");
}

TEST_F(LoadTarget, WithoutAByteThereIsNothingToLoad) {
  EXPECT_FALSE(target_->End(Cancel::Never()));
}

TEST_F(LoadTarget, AnArchiveThatWasLeftIsNeverCompleteForTheEngine) {
  ASSERT_TRUE(target_->Write("half", Cancel::Never()));
  target_.reset();
  EXPECT_TRUE(engine_.ended_by_error_);
}

TEST_F(LoadTarget, CanStartOverUntilTheEngineHasBytes) {
  EXPECT_TRUE(target_->CanStartOver());
  ASSERT_TRUE(target_->Write("x", Cancel::Never()));
  EXPECT_FALSE(target_->CanStartOver());
}

TEST(CanStartOver, IsLostWithTheFirstByteThatOthersSee) {
  files::TemporaryTree tree;
  auto file = disk::OpenWholeFile(tree.At("out.tar"), false);
  auto device = disk::OpenWholeFile("/dev/null", false);
  ASSERT_TRUE(file && device);
  auto open = [] { return Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC)); };
  session::ExportTarget hidden = MakeFileTarget(**file);
  session::ExportTarget direct = MakeFileTarget(**device);
  session::ExportTarget output = MakeDescriptorTarget(open());
  session::ExportTarget part = MakePartTarget(open());
  for (session::ExportTarget* one : {&hidden, &direct, &output, &part}) {
    EXPECT_TRUE(session::CanStartOver(*one));
    auto& stream = std::get<std::unique_ptr<session::StreamTarget>>(*one);
    ASSERT_TRUE(stream->Write("x", Cancel::Never()));
  }
  EXPECT_TRUE(session::CanStartOver(hidden));
  EXPECT_FALSE(session::CanStartOver(direct));
  EXPECT_FALSE(session::CanStartOver(output));
  EXPECT_TRUE(session::CanStartOver(part));
  EXPECT_TRUE(session::CanStartOver(session::DirectoryTarget{tree.root()}));
}

}  // namespace
}  // namespace depot::deliver
