#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "pool/service/journal.h"
#include "pool/service/metrics.h"
#include "pool/settings/settings.h"

namespace depot::service {

/// The settings of the moment: a change of the file is noticed with the next request, so that a
/// token that was just made or revoked counts at once. A file that cannot be used is told of once,
/// and what was read before stays. Safe to use from several threads.
class LiveSettings {
 public:
  /// Called on the thread that noticed the change.
  using Changed = std::function<void(const settings::Settings&)>;

  /// `first` was read from `file` when its stamp was `stamp`. Journal and metrics must outlive it.
  LiveSettings(std::string file,
               std::string stamp,
               settings::Settings first,
               const Journal& journal,
               Metrics& metrics);

  /// For changes from now on; before there are several threads.
  void OnChange(Changed changed) { changed_ = std::move(changed); }

  std::shared_ptr<const settings::Settings> Current();

  /// The tokens that pools share, which count beside those of the file: see settings::JoinTokens().
  void SetStored(std::vector<settings::TokenRecord> tokens);

 private:
  void Reread();

  /// With the shared tokens added; under the lock.
  std::shared_ptr<const settings::Settings> WithStored(settings::Settings settings) const;

  std::string file_;
  const Journal& journal_;
  Metrics& metrics_;
  Changed changed_;
  std::mutex mutex_;
  std::string stamp_;     ///< of what was read last, usable or not
  bool reading_ = false;  ///< one thread reads, the others wait: a revoked token may not slip by
  std::condition_variable read_;
  std::vector<settings::TokenRecord> in_file_;
  std::vector<settings::TokenRecord> stored_;
  std::shared_ptr<const settings::Settings> current_;
};

}  // namespace depot::service
