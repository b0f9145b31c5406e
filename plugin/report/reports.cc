#include "plugin/report/reports.h"

#include <chrono>

#include "driver/base/text.h"
#include "driver/event/step.h"
#include "plugin/report/dotenv.h"

namespace depot::report {
namespace {

constexpr std::string_view kDotenv = "--dotenv-file";
constexpr std::string_view kCodeQuality = "--code-quality-file";
constexpr std::string_view kTimeline = "--timeline";

Result<> OpenReport(std::string_view flag,
                    const std::string& path,
                    std::unique_ptr<disk::WholeFile>& file) {
  if (path.empty()) return {};
  auto opened = disk::OpenWholeFile(path, false);
  if (!opened) return Fail(std::move(opened).error().While(flag));
  file = *std::move(opened);
  return {};
}

Result<> WriteReport(std::string_view flag, disk::WholeFile& file, std::string_view text) {
  Result<> written = file.Write(text);
  if (written) written = file.Commit();
  if (!written) return Fail(std::move(written).error().While(flag));
  return {};
}

}  // namespace

Result<std::unique_ptr<Reports>> Reports::Open(WantedReports wanted) {
  std::unique_ptr<Reports> reports(new Reports(std::move(wanted)));
  const WantedReports& paths = reports->wanted_;
  TRY(Both(OpenReport(kDotenv, paths.dotenv, reports->dotenv_file_),
           Both(OpenReport(kCodeQuality, paths.code_quality, reports->code_quality_file_),
                OpenReport(kTimeline, paths.timeline, reports->timeline_file_))));
  return reports;
}

void Reports::Emit(Event event) {
  if (!code_quality_file_ && !timeline_file_) return;
  std::lock_guard lock(mutex_);
  const auto* warning = std::get_if<VertexWarning>(&event);
  if (warning != nullptr && code_quality_file_) code_quality_.Take(*warning);
  if (timeline_file_) timeline_.Take(event, Now());
}

Result<> Reports::Write(const BuildFacts& facts) {
  Result<> written;
  if (dotenv_file_ && facts.error == nullptr) {
    written = WriteReport(kDotenv, *dotenv_file_, DotenvText(facts.response, facts.build));
  }
  if (code_quality_file_) {
    written = Both(std::move(written),
                   WriteReport(kCodeQuality, *code_quality_file_, code_quality_.Text()));
  }
  if (!timeline_file_) return written;
  const std::string error = facts.error == nullptr ? "" : facts.error->message();
  return Both(std::move(written),
              WriteReport(kTimeline, *timeline_file_, timeline_.Page(wanted_.title, error, Now())));
}

}  // namespace depot::report
