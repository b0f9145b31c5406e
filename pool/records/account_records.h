#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pool/records/records.h"

namespace depot::records {

/// The part of Records that is about people: logins, tokens, and whose cache is being emptied.
class AccountRecords : public Records {
 public:
  explicit AccountRecords(SqlStore& store) : store_(store) {}

  Result<> StoreLogin(const LoginRecord& login, std::int64_t now) override;
  Result<LoginRecord> FindLogin(const std::string& code, std::int64_t now) override;
  Result<LoginRecord> FindLoginById(const std::string& id_hash, std::int64_t now) override;
  Result<> ApproveLogin(const std::string& code, const std::string& user) override;
  Result<> RemoveLogin(const std::string& code) override;
  Result<Secret> LoginSecret() override;
  Result<ResetNews> AskReset(const std::string& project,
                             const std::string& runner,
                             std::int64_t now) override;
  Result<> ReportReset(const std::string& project,
                       const std::string& runner,
                       const std::optional<Result<>>& ended,
                       std::int64_t now) override;
  Result<std::vector<settings::TokenRecord>> Tokens() override;
  Result<> StoreToken(const settings::TokenRecord& token) override;

 protected:
  /// One statement that changes something.
  Result<> Do(std::string_view sql, const SqlValues& values);

 private:
  Result<LoginRecord> FindOneLogin(std::string_view column,
                                   const std::string& value,
                                   std::int64_t now);

  SqlStore& store_;
};

}  // namespace depot::records
