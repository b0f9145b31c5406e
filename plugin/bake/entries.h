#pragma once

#include <string_view>

#include "driver/base/result.h"
#include "plugin/bake/fields.h"

/// The entries of list fields, written as CSV with quotes (RFC 4180) or as objects (buildx
/// util/buildflags). An empty text is no entry. Errors are kInvalid and name what is wrong.
namespace depot::bake {

/// cache-from, cache-to: `type=T,k=v`, or image names separated by commas.
Result<Entries> ParseCaches(std::string_view text);

/// `PATH`, `-`, or `type=T,dest=P,k=v`.
Result<Entries> ParseOutputs(std::string_view text);

/// `id=X[,src=P|source=P][,env=V][,type=file|env]`.
Result<Entries> ParseSecrets(std::string_view text);

/// `type=T[,disabled=B],k=v`.
Result<Entries> ParseAttests(std::string_view text);

using ParseEntries = Result<Entries> (*)(std::string_view text);

/// Appends the entries of each of `texts`, up to the first that is wrong.
Result<> ParseEach(const Strings& texts, ParseEntries parse, Entries& into);

/// What a flag --sbom or --provenance (`type`) with this value means as an entry of attest.
std::string AttestOf(std::string_view type, std::string_view value);

/// `ID[=PATH[,PATH]]`.
std::vector<SshEntry> ParseSshEntries(std::string_view text);

/// The same for the members of an object.
Result<Entry> CheckCache(Entry members);
Result<Entry> CheckOutput(Entry members);
Result<Entry> CheckSecret(Entry members);
Result<Entry> CheckAttest(Entry members);

/// The entry as one record of CSV, `first` (type or id) before the others.
std::string FormatRecord(const Entry& entry, const std::string& first);

}  // namespace depot::bake
