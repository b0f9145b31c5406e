#include "driver/registry/extra_credentials.h"

namespace depot::registry {
namespace {

class ExtraCredentials final : public CredentialSource {
 public:
  ExtraCredentials(std::map<std::string, Credential> extra, CredentialSource& rest)
      : extra_(std::move(extra)), rest_(rest) {}

  Result<std::optional<Credential>> Lookup(const std::string& host,
                                           int nth,
                                           const Cancel& cancel) override {
    auto found = extra_.find(host);
    if (found == extra_.end()) return rest_.Lookup(host, nth, cancel);
    if (nth == 0) return std::optional<Credential>(found->second);
    return rest_.Lookup(host, nth - 1, cancel);
  }

 private:
  const std::map<std::string, Credential> extra_;
  CredentialSource& rest_;
};

}  // namespace

std::unique_ptr<CredentialSource> MakeExtraCredentials(std::map<std::string, Credential> extra,
                                                       CredentialSource& rest) {
  return std::make_unique<ExtraCredentials>(std::move(extra), rest);
}

}  // namespace depot::registry
