#include "plugin/job/job.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/deliver/metadata.h"

namespace depot::job {
namespace {

docker::HostCredentials CredentialsOf(const api::CreatedBuild& build) {
  docker::HostCredentials credentials;
  for (const api::RegistryCredential& one : build.credentials) {
    registry::Credential credential;
    credential.username = one.username;
    credential.password = one.password;
    credential.source = "the Depot API";
    credentials.emplace_back(one.host, std::move(credential));
  }
  return credentials;
}

}  // namespace

Result<std::unique_ptr<Job>> Job::Start(Workshop& workshop,
                                        choice::Choice choice,
                                        const api::BuildDescription& description,
                                        EventSink& sink,
                                        const Cancel& cancel) {
  std::unique_ptr<Job> job(new Job(workshop, std::move(choice), sink));
  workshop.SayTo(&sink);
  sink.Say(job->choice_.line);
  for (const std::string& warning : job->choice_.warnings)
    sink.Say(Cat("WARNING: ", warning));
  docker::HostCredentials handed_out;
  std::vector<choice::Site> sites = job->choice_.sites;
  if (job->choice_.hosted) {
    Result<> started = job->StartHosted(description, cancel);
    if (!started) return Fail(std::move(started).error().At(FailedAt::kNoBuilder));
    if (description.save) {
      for (const api::AdditionalTag& tag : job->hosted_->created().tags)
        job->save_as_.push_back(tag.name);
      handed_out = CredentialsOf(job->hosted_->created());
    }
    std::shared_ptr<builder::Driver> driver(&job->hosted_->driver(), [](builder::Driver*) {});
    sites = choice::HostedSites(driver, job->choice_.hosted->machine);
  }
  job->registries_ = std::make_unique<RegistryAccess>(workshop, std::move(handed_out), sink);
  job->crew_ = std::make_unique<choice::Crew>(std::move(sites), sink);
  return job;
}

Job::~Job() {
  workshop_.SayTo(nullptr);
}

Result<> Job::StartHosted(const api::BuildDescription& description, const Cancel& cancel) {
  const choice::HostedChoice& hosted = *choice_.hosted;
  workshop_.masks().Add(hosted.token.value);
  TRY_ASSIGN(api_, workshop_.MakeApi(sink_));
  TRY_ASSIGN(hosted_, api::StartHostedBuild(*api_, hosted.token, description, hosted.existing_build,
                                            sink_, cancel));
  const std::string& page = hosted_->created().url;
  const bool unwanted = !Variable(workshop_.environment(), "DEPOT_NO_SUMMARY_LINK").empty();
  if (!page.empty() && !unwanted) {
    sink_.Say(Cat("the build's page: ", page));
  }
  return {};
}

std::vector<std::string> Job::SaveAs(const std::string& target) const {
  std::vector<std::string> names = save_as_;
  for (std::string& name : names)
    if (!target.empty()) name += Cat('-', target);
  return names;
}

const std::string& Job::project() const {
  const std::string& told = hosted_->created().project;
  return told.empty() ? choice_.hosted->project.id : told;
}

std::string Job::depot_build(const std::vector<std::string>& targets) const {
  if (!hosted_) return "";
  return deliver::DepotBuildValue(hosted_->created().id, project(), targets);
}

std::string Job::saved_build() const {
  if (save_as_.empty()) return "";
  const std::string& of = project();
  return Cat(of.empty() ? "" : Cat("--project ", Printable(of), ' '),
             Printable(hosted_->created().id));
}

void Job::Finish(const Error* failure) {
  crew_.reset();
  if (!hosted_) return;
  Result<> told = hosted_->Finish(failure);
  if (!told) sink_.Say(Cat("WARNING: ", told.error().message()));
  hosted_.reset();
}

}  // namespace depot::job
