#include "plugin/command/image_commands.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/account.h"
#include "plugin/command/command_line.h"
#include "plugin/command/listing.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

Listing ImageRows(const std::vector<api::SavedImage>& images) {
  Listing listing{{"Tag", "Digest", "Size (bytes)", "Pushed At"},
                  {"tag", "digest", "size_bytes", "pushed_at"},
                  {false, false, true, false},
                  {}};
  for (const api::SavedImage& image : images)
    listing.rows.push_back({image.tag, image.digest, Cat(image.size), FormatTime(image.pushed_at)});
  return listing;
}

}  // namespace

Result<> RunImageList(const Call& call) {
  Secret token_flag;
  std::string project_flag;
  std::optional<ListFormat> format;
  TRY_ASSIGN(bool runs,
             ReadCommandLine(
                 {.words = "image list",
                  .description = "List the images that were kept with --save",
                  .flags = {FormatFlag(format), TokenFlag(token_flag), ProjectFlag(project_flag)}},
                 call));
  if (!runs) return {};
  TRY(call.terminal.CheckResult());
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(const std::string project, account->Project(project_flag, ""));
  TRY_ASSIGN(const api::Token token, account->Token(token_flag, call.cancel));
  TRY_ASSIGN(auto images, account->more().ListImages(token, project, call.cancel));
  if (images.empty()) sink.Say("there are no saved images");
  return WriteListing(ImageRows(images), format, call);
}

Result<> RunImageRm(const Call& call) {
  Secret token_flag;
  std::string project_flag;
  std::vector<std::string> tags;
  TRY_ASSIGN(bool runs,
             ReadCommandLine({.words = "image rm",
                              .description = "Remove images that were kept with --save",
                              .flags = {TokenFlag(token_flag), ProjectFlag(project_flag)},
                              .argument = "TAG [TAG...]",
                              .targets = &tags},
                             call));
  if (!runs) return {};
  if (tags.empty()) {
    return Fail(Error(ErrorCode::kUsage, "image rm needs the tag of an image")
                    .WithHint("the command image list shows them"));
  }
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(const std::string project, account->Project(project_flag, ""));
  TRY_ASSIGN(const api::Token token, account->Token(token_flag, call.cancel));
  TRY(account->more().DeleteImages(token, project, tags, call.cancel));
  const std::string what = tags.size() == 1 ? Cat("image with tag: ", Printable(tags.front()))
                                            : Cat(tags.size(), " images");
  return call.terminal.WriteResult(Cat("Successfully deleted ", what, '\n'), call.cancel);
}

}  // namespace depot::command
