#include "plugin/command/push_command.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/registry/copy.h"
#include "plugin/command/account.h"
#include "plugin/command/chosen_sink.h"
#include "plugin/command/command_line.h"
#include "plugin/job/image_places.h"
#include "plugin/job/registry_access.h"
#include "plugin/options/flag_values.h"

namespace depot::command {
namespace {

struct PushOptions {
  Secret token;
  std::string project;
  std::string build;   ///< "" = not given
  std::string target;  ///< of a bake; "" = it was a build, or the only one
  std::vector<job::ImageName> tags;
  options::ProgressMode progress = options::ProgressMode::kAuto;
};

CommandLine PushLine(PushOptions& options) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  return {.words = "push",
          .description = "Copy the image of a build made with --save to another registry",
          .flags = {{"progress", 0, kText, "string",
                     "Type of progress output: \"none\" and \"quiet\" are silent",
                     flags::Parsed(options.progress, options::ParseProgress)},
                    {"tag", 't', kText, "list", "Name the image so (format: \"name:tag\")",
                     flags::Added(options.tags, job::ParseImageName)},
                    {"target", 0, kText, "string", "The target, of a build by bake",
                     flags::Into(options.target)},
                    TokenFlag(options.token),
                    ProjectFlag(options.project)},
          .argument = "BUILD",
          .target = &options.build};
}

/// One push, said to `sink`.
class SavedPush {
 public:
  SavedPush(job::Workshop& workshop, const PushOptions& options, EventSink& sink, const Call& call)
      : workshop_(workshop), options_(options), sink_(sink), cancel_(call.cancel) {}

  /// The names with their digest, one a line.
  Result<std::string> Run() {
    TRY_ASSIGN(auto account, Account::Open(workshop_, sink_));
    TRY_ASSIGN(const api::Token token, account->Token(options_.token, cancel_));
    if (options_.build.empty()) {
      return Fail(account->WhichBuild("push", token, options_.project, cancel_));
    }
    TRY(workshop_.ReadDocker());
    TRY_ASSIGN(const api::PullInfo info, account->SavedBuild(token, options_.build, cancel_));
    Result<std::string> names = Copy(info);
    if (names || names.error().at() != FailedAt::kUnsaid) return names;
    return Fail(std::move(names).error().At(FailedAt::kRegistry));
  }

 private:
  Result<std::string> Copy(const api::PullInfo& info) {
    const std::string suffix = options_.target.empty() ? "" : Cat('-', options_.target);
    TRY_ASSIGN(const job::ImageName saved, job::ParseImageName(Cat(info.reference, suffix)));
    // What opens the saved image is for nothing else, also where both are in one registry.
    job::RegistryAccess reading(workshop_, HandedOut(saved.reference, info), sink_);
    job::RegistryAccess writing(workshop_, {}, sink_);
    const auto from_registries = reading.Open({});
    const auto to_registries = writing.Open({});
    job::ImagePlaces sources(*from_registries);
    job::ImagePlaces targets(*to_registries);
    TRY_ASSIGN(registry::Repository * from, sources.ToRead(saved));
    TRY_ASSIGN(const registry::StoredManifest image,
               from->GetManifest(saved.digest.empty() ? saved.tag : saved.digest, cancel_));
    std::string names;
    for (const job::ImageName& tag : options_.tags) {
      TRY_ASSIGN(registry::Repository * to, targets.ToWrite(tag));
      TRY(Put(image, *from, *to, tag.tag));
      const std::string name = Cat(job::FormatImageName(tag), '@', image.digest);
      sink_.Say(Cat("pushed ", name));
      names += Cat(name, '\n');
    }
    return names;
  }

  Result<> Put(const registry::StoredManifest& image,
               registry::Repository& from,
               registry::Repository& to,
               const std::string& tag) {
    const registry::CopyPlaces places{from, to, "", workshop_.TemporaryDirectory(),
                                      [this](std::string line) { sink_.Say(std::move(line)); }};
    TRY(registry::CopyManifest(
        places, MakeDescriptor(image.media_type, image.digest, image.bytes.size()), cancel_));
    TRY(to.PutManifest(tag, image.media_type, image.bytes, cancel_));
    return {};
  }

  job::Workshop& workshop_;
  const PushOptions& options_;
  EventSink& sink_;
  const Cancel& cancel_;
};

Result<> CheckPush(const PushOptions& options) {
  if (options.tags.empty()) {
    return Fail(Error(ErrorCode::kUsage, "nothing says where to push the image to")
                    .WithHint("give --tag NAME, as often as it is to get a name"));
  }
  for (const job::ImageName& tag : options.tags) {
    if (tag.layout.empty() && tag.digest.empty()) continue;
    return Fail(ErrorCode::kUsage, Cat("--tag: ", Printable(job::FormatImageName(tag)),
                                       " is no name with a tag in a registry"));
  }
  return {};
}

}  // namespace

Result<> RunPush(const Call& call) {
  PushOptions options;
  TRY_ASSIGN(bool runs, ReadCommandLine(PushLine(options), call));
  if (!runs) return {};
  TRY(CheckPush(options));
  TRY(call.terminal.CheckResult());
  ChosenSink chosen(options.progress, call);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(const std::string names, SavedPush(workshop, options, chosen.sink(), call).Run());
  return call.terminal.WriteResult(names, call.cancel);
}

}  // namespace depot::command
