#include "plugin/command/build_output.h"

#include <filesystem>

#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "plugin/command/failure.h"
#include "plugin/plan/git_url.h"

namespace depot::command {
namespace {

/// The Dockerfile as a report may name it; "" when it is no file of this machine.
std::string ReportedDockerfile(const options::BuildOptions& options) {
  namespace fs = std::filesystem;
  if (options.context == "-" || options.file == "-" || plan::IsRemoteContext(options.context)) {
    return "";
  }
  fs::path path =
      options.file.empty() ? fs::path(options.context) / "Dockerfile" : fs::path(options.file);
  std::error_code unknown;
  if (path.is_absolute()) path = path.lexically_relative(fs::current_path(unknown));
  return path.lexically_normal().string();
}

std::string TimelineTitle(const options::BuildOptions& options) {
  return Cat("Build of ", options.tags.empty() ? options.context : options.tags.front());
}

}  // namespace

/// The display, the log and the reports as one sink.
class BuildOutput::Everyone final : public EventSink {
 public:
  explicit Everyone(BuildOutput& output) : output_(output) {}

  void Emit(Event event) override {
    output_.reports_->Emit(event);
    if (output_.log_file_) output_.log_file_->Emit(event);
    output_.display_->Emit(std::move(event));
  }

 private:
  BuildOutput& output_;
};

BuildOutput::BuildOutput(const options::BuildOptions& options,
                         const Masks& masks,
                         bool debug,
                         Terminal& terminal)
    : options_(options),
      masks_(masks),
      debug_(debug),
      terminal_(terminal),
      everyone_(std::make_unique<Everyone>(*this)),
      masking_(*everyone_, masks) {}

BuildOutput::~BuildOutput() = default;

Result<std::unique_ptr<report::Reports>> BuildOutput::OpenReports(
    const options::BuildOptions& options) {
  const options::ReportOptions& wanted = options.reports;
  auto reports = report::Reports::Open({wanted.dotenv, wanted.code_quality, wanted.timeline,
                                        ReportedDockerfile(options), TimelineTitle(options)});
  Result<> opened = reports ? Result<>() : Fail(reports.error());
  TRY(Both(std::move(opened), wanted.log.empty() ? Result<>() : LogFile::Check(wanted.log)));
  return reports;
}

Result<std::unique_ptr<BuildOutput>> BuildOutput::Open(const DisplayOptions& display,
                                                       const options::BuildOptions& options,
                                                       std::unique_ptr<report::Reports> reports,
                                                       const Masks& masks,
                                                       Terminal& terminal) {
  std::unique_ptr<BuildOutput> output(
      new BuildOutput(options, masks, display.expand_warnings, terminal));
  output->reports_ = std::move(reports);
  const std::string& log = options.reports.log;
  if (!log.empty()) {
    TRY_ASSIGN(output->log_file_, LogFile::Open(log, display));
  }
  output->display_ = MakeDisplay(display, terminal);
  return output;
}

Error BuildOutput::Told(const Error& error) const {
  const FailedPlace& place = error.place();
  return Error(error.code(), masks_.Hide(error.message()))
      .WithHint(masks_.Hide(error.hint()))
      .WithExcerpt(masks_.Hide(error.excerpt()))
      .WithOriginal(debug_ ? masks_.Hide(error.original()) : "")
      .WithStepExit(options_.reports.step_exit ? error.step_exit() : 0)
      .At(error.at())
      .WithPlace({masks_.Hide(place.step), place.platform, place.builder});
}

Result<> BuildOutput::Finish(const Error* error, const job::Outcome* outcome) {
  masking_.Flush();
  display_->Finish(error);
  report::BuildFacts facts;
  facts.error = error;
  if (outcome != nullptr) {
    facts.response = outcome->response;
    facts.build = outcome->ref;
  }
  Result<> written = reports_->Write(facts);
  if (log_file_) {
    Result<> logged = log_file_->Finish(error, error == nullptr ? "" : FailureText(*error));
    written = Both(std::move(written), std::move(logged));
  }
  if (written || error == nullptr) return written;
  terminal_.WriteError(Cat("WARNING: ", written.error().message(), '\n'), Cancel::Never());
  return {};
}

}  // namespace depot::command
