#include "pool/service/live_settings.h"

#include <sys/stat.h>

#include "driver/base/text.h"

namespace depot::service {

std::string FileStamp(const std::string& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return "";
  return Cat(now.st_dev, ' ', now.st_ino, ' ', now.st_size, ' ', now.st_mtim.tv_sec, ' ',
             now.st_mtim.tv_nsec);
}

LiveSettings::LiveSettings(std::string file,
                           std::string stamp,
                           settings::Settings first,
                           const Journal& journal,
                           Metrics& metrics)
    : file_(std::move(file)),
      journal_(journal),
      metrics_(metrics),
      stamp_(std::move(stamp)),
      current_(std::make_shared<const settings::Settings>(std::move(first))) {}

std::shared_ptr<const settings::Settings> LiveSettings::Current() {
  std::unique_lock lock(mutex_, std::defer_lock);
  while (true) {
    std::string stamp = FileStamp(file_);
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
  auto fresh = std::make_shared<const settings::Settings>(*std::move(read));
  std::shared_ptr<const settings::Settings> before;
  {
    std::lock_guard lock(mutex_);
    before = std::exchange(current_, fresh);
  }
  journal_.Say("the settings have changed");
  if (before->listen != fresh->listen || before->state != fresh->state ||
      before->tls_certificate.empty() != fresh->tls_certificate.empty() ||
      before->proxies != fresh->proxies) {
    journal_.Say("a changed `listen`, `proxies`, `state`, or use of TLS counts after a restart");
  }
  if (changed_) changed_(*fresh);
}

}  // namespace depot::service
