#include "plugin/deliver/stream_targets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::deliver::stream_targets_test {
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

TEST_F(LoadTarget, StartsOverUntilTheEngineHasBytes) {
  EXPECT_TRUE(target_->StartOver());
  ASSERT_TRUE(target_->Write("x", Cancel::Never()));
  Result<> again = target_->StartOver();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message(), "the Docker Engine has a part of the image already");
}

TEST(StartOver, IsLostWithTheFirstByteThatOthersSee) {
  files::TemporaryTree tree;
  auto file = disk::OpenWholeFile(tree.At("out.tar"), false);
  auto device = disk::OpenWholeFile("/dev/null", false);
  auto kept = disk::OpenNamelessFile(tree.root());
  ASSERT_TRUE(file && device && kept);
  const Fd seen(::fcntl(kept->get(), F_DUPFD_CLOEXEC, 0));
  session::ExportTarget hidden = MakeFileTarget(**file);
  session::ExportTarget direct = MakeFileTarget(**device);
  session::ExportTarget output =
      MakeDescriptorTarget(Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC)));
  session::ExportTarget part = MakePartTarget(*std::move(kept));
  auto write = [](session::ExportTarget& target, std::string_view data) {
    auto& stream = std::get<std::unique_ptr<session::StreamTarget>>(target);
    ASSERT_TRUE(stream->Write(data, Cancel::Never()));
  };
  for (session::ExportTarget* one : {&hidden, &direct, &output, &part}) {
    EXPECT_TRUE(session::StartOver(*one));
    write(*one, "a first try");
  }
  EXPECT_FALSE(session::StartOver(direct));
  EXPECT_FALSE(session::StartOver(output));
  EXPECT_TRUE(session::StartOver(session::DirectoryTarget{tree.root()}));
  for (session::ExportTarget* one : {&hidden, &part}) {
    EXPECT_TRUE(session::StartOver(*one));
    write(*one, "whole");
  }
  ASSERT_TRUE((*file)->Commit());
  EXPECT_EQ(tree.Read("out.tar"), "whole");
  char content[100];
  EXPECT_EQ(::pread(seen.get(), content, sizeof content, 0), 5);
}

}  // namespace
}  // namespace depot::deliver::stream_targets_test
