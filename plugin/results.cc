#include "plugin/results.h"

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/text.h"
#include "driver/files/tree_writer.h"
#include "driver/oci/digest.h"
#include "plugin/deliver/stream_targets.h"

namespace depot {
namespace {

Result<std::unique_ptr<files::WholeFile>> Open(const std::string& path,
                                               bool make_parents,
                                               std::string_view what) {
  auto file = files::OpenWholeFile(path, make_parents);
  if (!file) return Fail(std::move(file).error().While(Cat(what, " cannot be written")));
  return file;
}

Result<> Finish(files::WholeFile& file, std::string_view content, std::string_view what) {
  Result<> done = file.Write(content);
  if (done) done = file.Commit();
  if (!done) return Fail(std::move(done).error().While(Cat(what, " cannot be written")));
  return {};
}

}  // namespace

Result<> Results::OpenReports(const options::BuildOptions& options, const Terminal& terminal) {
  if (options.quiet) TRY(terminal.CheckResult());
  if (!options.iidfile.empty()) {
    TRY_ASSIGN(id_file_, Open(options.iidfile, false, "--iidfile"));
    // Never a device: `--iidfile /dev/null` must leave it where it is.
    struct stat old {};
    bool regular = ::lstat(options.iidfile.c_str(), &old) == 0 && S_ISREG(old.st_mode);
    if (regular && ::unlink(options.iidfile.c_str()) != 0 && errno != ENOENT) {
      return Fail(SystemError(Cat("--iidfile: remove the old ", options.iidfile), errno));
    }
  }
  if (!options.metadata_file.empty()) {
    TRY_ASSIGN(metadata_file_, Open(options.metadata_file, false, "--metadata-file"));
  }
  return {};
}

Result<> Results::OpenTargets(const std::vector<plan::Destination>& destinations,
                              docker::Engine* engine,
                              EventSink& sink,
                              const Terminal& terminal) {
  for (int index = 0; index < static_cast<int>(destinations.size()); ++index) {
    const plan::Destination& destination = destinations[static_cast<std::size_t>(index)];
    switch (destination.kind) {
      case plan::DestinationKind::kNone:
        break;
      case plan::DestinationKind::kDirectory: {
        Result<> writable = files::CheckTreeRoot(destination.path);
        if (!writable) return Fail(std::move(writable).error().While("--output cannot be written"));
        targets_[index] = session::DirectoryTarget{destination.path};
        break;
      }
      case plan::DestinationKind::kFile: {
        TRY_ASSIGN(auto file, Open(destination.path, true, "--output"));
        targets_[index] = deliver::MakeFileTarget(*file);
        archives_.push_back(std::move(file));
        break;
      }
      case plan::DestinationKind::kStandardOutput: {
        Result<Fd> output = terminal.DuplicateOutput();
        if (!output) return Fail(std::move(output).error().While("--output cannot be written"));
        targets_[index] = deliver::MakeDescriptorTarget(*std::move(output));
        break;
      }
      case plan::DestinationKind::kEngineLoad:
        targets_[index] = deliver::MakeLoadTarget(*engine, sink);
        break;
    }
  }
  return {};
}

Result<> Results::Commit(const deliver::ExporterResponse& response,
                         const std::string& ref,
                         deliver::ImageIdKind id_kind,
                         const options::BuildOptions& options,
                         Terminal& terminal) {
  for (auto& archive : archives_) {
    Result<> committed = archive->Commit();
    if (!committed) return Fail(std::move(committed).error().While("--output cannot be written"));
  }
  std::string id = deliver::ImageId(response, id_kind);
  if (!id.empty() && !IsDigest(id)) {
    return Fail(ErrorCode::kInvalid,
                Cat("the builder names the image by what is no digest: ", Printable(id)));
  }
  if (metadata_file_) {
    TRY(Finish(*metadata_file_, deliver::MetadataJson(response, ref), "--metadata-file"));
  }
  if (id_file_) TRY(Finish(*id_file_, id, "--iidfile"));
  if (options.quiet && !id.empty()) {
    TRY(terminal.WriteResult(Cat(id, '\n'), Cancel::Never()));
  }
  return {};
}

}  // namespace depot
