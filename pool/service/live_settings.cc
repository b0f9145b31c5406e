#include "pool/service/live_settings.h"

#include "driver/base/text.h"
#include "pool/settings/durable_file.h"

namespace depot::service {

LiveSettings::LiveSettings(std::string file,
                           std::string stamp,
                           settings::Settings first,
                           const Journal& journal,
                           Metrics& metrics)
    : file_(std::move(file)),
      journal_(journal),
      metrics_(metrics),
      stamp_(std::move(stamp)),
      in_file_(first.tokens),
      current_(std::make_shared<const settings::Settings>(std::move(first))) {}

void LiveSettings::SetStored(std::vector<settings::TokenRecord> tokens) {
  std::lock_guard lock(mutex_);
  if (tokens == stored_) return;
  stored_ = std::move(tokens);
  settings::Settings settings = *current_;
  settings.tokens = in_file_;
  current_ = WithStored(std::move(settings));
}

std::shared_ptr<const settings::Settings> LiveSettings::WithStored(
    settings::Settings settings) const {
  settings.tokens = settings::JoinTokens(std::move(settings.tokens), stored_);
  return std::make_shared<const settings::Settings>(std::move(settings));
}

std::shared_ptr<const settings::Settings> LiveSettings::Current() {
  std::unique_lock lock(mutex_, std::defer_lock);
  while (true) {
    std::string stamp = settings::FileStamp(file_);
    lock.lock();
    if (!reading_ && stamp == stamp_) return current_;
    if (!reading_) {
      reading_ = true;
      stamp_ = std::move(stamp);
      break;
    }
    read_.wait(lock, [this] { return !reading_; });
    lock.unlock();
  }
  lock.unlock();
  Reread();
  lock.lock();
  reading_ = false;
  read_.notify_all();
  return current_;
}

void LiveSettings::Reread() {
  Result<settings::Settings> read = settings::ReadSettings(file_);
  if (!read) {
    metrics_.CountSettingsError();
    journal_.Say(
        Cat("the changed settings are not used, those from before stay: ", read.error().message()));
    return;
  }
  std::shared_ptr<const settings::Settings> before;
  std::shared_ptr<const settings::Settings> fresh;
  {
    std::lock_guard lock(mutex_);
    in_file_ = read->tokens;
    fresh = WithStored(*std::move(read));
    before = std::exchange(current_, fresh);
  }
  journal_.Say("the settings have changed");
  if (before->listen != fresh->listen || before->state != fresh->state ||
      before->store != fresh->store || before->store_password != fresh->store_password ||
      before->tls_certificate.empty() != fresh->tls_certificate.empty() ||
      before->proxies != fresh->proxies) {
    journal_.Say(
        "a changed `listen`, `proxies`, `state`, `store`, or use of TLS counts after a restart");
  }
  if (changed_) changed_(*fresh);
}

}  // namespace depot::service
