#include "plugin/deliver/results.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/files/tree_writer.h"
#include "driver/oci/digest.h"
#include "plugin/deliver/image_layout.h"
#include "plugin/deliver/join_platforms.h"
#include "plugin/deliver/merge_archives.h"
#include "plugin/deliver/stream_targets.h"

namespace depot::deliver {
namespace {

Result<std::unique_ptr<disk::WholeFile>> Open(const std::string& path, std::string_view what) {
  auto file = disk::OpenWholeFile(path, false);
  if (!file) return Fail(std::move(file).error().While(Cat(what, " cannot be written")));
  return file;
}

Result<> Finish(disk::WholeFile& file, std::string_view content, std::string_view what) {
  Result<> done = file.Write(content);
  if (done) done = file.Commit();
  if (!done) return Fail(std::move(done).error().While(Cat(what, " cannot be written")));
  return {};
}

}  // namespace

Result<> Results::OpenReports(const options::BuildOptions& options) {
  const auto open = [](const std::string& path, std::string_view flag,
                       std::unique_ptr<disk::WholeFile>& file) -> Result<> {
    if (path.empty()) return {};
    TRY_ASSIGN(file, Open(path, flag));
    return {};
  };
  TRY(Both(open(options.iidfile, "--iidfile", id_file_),
           open(options.metadata_file, "--metadata-file", metadata_file_)));
  if (!id_file_) return {};
  // Never a device: `--iidfile /dev/null` must leave it where it is.
  struct stat old {};
  bool regular = ::lstat(options.iidfile.c_str(), &old) == 0 && S_ISREG(old.st_mode);
  if (regular && ::unlink(options.iidfile.c_str()) != 0 && errno != ENOENT) {
    return Fail(SystemError(Cat("--iidfile: remove the old ", options.iidfile), errno));
  }
  return {};
}

Result<std::unique_ptr<session::StreamTarget>> Results::OpenStream(
    const plan::Destination& destination, docker::Engine* engine, EventSink& sink) {
  switch (destination.kind) {
    case plan::DestinationKind::kFile: {
      TRY_ASSIGN(auto file, Open(destination.path, "--output"));
      archives_.push_back(std::move(file));
      return MakeFileTarget(*archives_.back());
    }
    case plan::DestinationKind::kStandardOutput: {
      Result<Fd> output = streams_.TakeOutput();
      if (!output) return Fail(std::move(output).error().While("--output cannot be written"));
      return MakeDescriptorTarget(*std::move(output));
    }
    case plan::DestinationKind::kEngineLoad:
      return MakeLoadTarget(*engine, sink);
    case plan::DestinationKind::kLayout:
      return OpenLayout(destination.path);
    case plan::DestinationKind::kNone:
    case plan::DestinationKind::kEngineLayers:
    case plan::DestinationKind::kDirectory:
    case plan::DestinationKind::kSbomFiles:
      break;
  }
  return Fail(ErrorCode::kInternal, "this destination takes no stream");
}

/// For what is kept aside until it can be joined or unpacked: the file is in `kept`.
Result<std::unique_ptr<session::StreamTarget>> Results::OpenAside(std::string_view what, Fd& kept) {
  auto file = disk::OpenNamelessFile(temporary_);
  if (!file) {
    return Fail(std::move(file)
                    .error()
                    .While(Cat("--output: keeping ", what))
                    .WithHint("TMPDIR names the folder for that"));
  }
  Fd copy(::fcntl(file->get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return Fail(SystemError(Cat("--output: keeping ", what), errno));
  kept = *std::move(file);
  return MakePartTarget(std::move(copy));
}

Result<std::unique_ptr<session::StreamTarget>> Results::OpenPart(
    Joined& joined, const std::vector<Platform>& platforms) {
  joined.platforms.push_back(platforms);
  return OpenAside("a builder's part", joined.files.emplace_back());
}

Result<std::unique_ptr<session::StreamTarget>> Results::OpenLayout(const std::string& path) {
  Result<> writable = files::CheckTreeRoot(path);
  if (!writable) return Fail(std::move(writable).error().While("--output cannot be written"));
  Layout& layout = layouts_.emplace_back();
  layout.directory = path;
  return OpenAside("the image", layout.archive);
}

/// Null when nothing is to be removed.
SentPaths* Results::SentTo(const plan::Destination& destination) {
  return destination.clear ? &cleared_[destination.path] : nullptr;
}

/// Null when the builders' files do not meet.
PathClaims* Results::ClaimsFor(int index, const plan::Destination& destination) {
  if (!destination.together) return nullptr;
  std::unique_ptr<PathClaims>& claims = joined_[index].claims;
  bool standard = destination.kind == plan::DestinationKind::kStandardOutput;
  if (!claims) {
    claims = std::make_unique<PathClaims>(standard ? "the archive" : destination.path);
  }
  return claims.get();
}

Result<session::DirectoryTarget> Results::OpenDirectory(int index,
                                                        const plan::Destination& destination,
                                                        const std::vector<Platform>& platforms) {
  Result<> writable = files::CheckTreeRoot(destination.path);
  if (!writable) return Fail(std::move(writable).error().While("--output cannot be written"));
  session::DirectoryTarget target{
      destination.path, destination.folder,
      destination.devices ? files::Devices::kMade : files::Devices::kRefused};
  PathClaims* claims = ClaimsFor(index, destination);
  SentPaths* sent = SentTo(destination);
  if (claims == nullptr && sent == nullptr) return target;
  target.around = [claims, sent, platforms,
                   folder = destination.folder](std::unique_ptr<files::TreeWriter> inner) {
    if (claims != nullptr) inner = MakeClaimingWriter(std::move(inner), *claims, platforms);
    if (sent != nullptr) inner = MakeNotingWriter(std::move(inner), *sent, folder);
    return inner;
  };
  return target;
}

Result<> Results::OpenTargets(const plan::BuildPlan& plan,
                              const std::vector<Platform>& platforms,
                              docker::Engine* engine,
                              EventSink& sink) {
  std::map<int, session::ExportTarget>& targets = targets_.emplace_back();
  for (int index = 0; index < static_cast<int>(plan.destinations.size()); ++index) {
    const plan::Destination& destination = plan.destinations[static_cast<std::size_t>(index)];
    bool elsewhere = destination.kind == plan::DestinationKind::kNone ||
                     destination.kind == plan::DestinationKind::kEngineLayers ||
                     destination.kind == plan::DestinationKind::kSbomFiles;
    if (elsewhere) continue;
    if (destination.kind == plan::DestinationKind::kDirectory) {
      TRY_ASSIGN(targets[index], OpenDirectory(index, destination, platforms));
    } else if (destination.part) {
      Joined& joined = joined_[index];
      if (!joined.target) {
        TRY_ASSIGN(joined.target, OpenStream(destination, engine, sink));
        joined.annotations = IndexAnnotationsOf(destination.annotations);
        joined.image = plan.request.exporters[static_cast<std::size_t>(index)].type == "oci";
        ClaimsFor(index, destination);
      }
      TRY_ASSIGN(targets[index], OpenPart(joined, platforms));
    } else {
      TRY_ASSIGN(targets[index], OpenStream(destination, engine, sink));
    }
  }
  return {};
}

Result<> Results::StartOver(std::size_t builder) const {
  for (const auto& [index, target] : targets_[builder])
    TRY(session::StartOver(target));
  return {};
}

Result<std::string> Results::JoinParts(const Cancel& cancel) {
  std::string digest;
  for (auto& [index, joined] : joined_) {
    if (!joined.target) continue;
    std::vector<ArchivePart> parts;
    for (std::size_t i = 0; i < joined.files.size(); ++i)
      parts.push_back({joined.files[i].get(), joined.platforms[i]});
    if (joined.image) {
      TRY_ASSIGN(digest, MergeImageArchives(parts, joined.annotations, *joined.target, cancel));
    } else {
      TRY(MergeTarArchives(parts, joined.claims.get(), *joined.target, cancel));
    }
  }
  return digest;
}

void Results::CloseTargets() {
  targets_.clear();
  joined_.clear();
}

Result<std::string> Results::Commit(const ExporterResponse& response,
                                    const std::string& ref,
                                    ImageIdKind id_kind) {
  for (auto& archive : archives_) {
    Result<> committed = archive->Commit();
    if (!committed) return Fail(std::move(committed).error().While("--output cannot be written"));
  }
  for (const Layout& layout : layouts_) {
    Result<> written = WriteImageLayout(layout.archive.get(), layout.directory, Cancel::Never());
    if (!written) return Fail(std::move(written).error().While("--output cannot be written"));
  }
  for (const auto& [directory, sent] : cleared_)
    TRY(sent.RemoveRest(directory));
  std::string id = ImageId(response, id_kind);
  if (!id.empty() && !IsDigest(id)) {
    return Fail(ErrorCode::kInvalid,
                Cat("the builder names the image by what is no digest: ", Printable(id)));
  }
  Result<> metadata;
  if (metadata_file_) {
    metadata = Finish(*metadata_file_, MetadataJson(response, ref), "--metadata-file");
  }
  TRY(Both(std::move(metadata), id_file_ ? Finish(*id_file_, id, "--iidfile") : Result<>()));
  return id;
}

}  // namespace depot::deliver
