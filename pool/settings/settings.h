#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "driver/oci/platform.h"

/// The pool's one YAML file.
namespace depot::settings {

constexpr std::size_t kMaxSettings = 4 << 20;  ///< bytes of a settings file

/// A file that a key names, not read yet: commands may run where it is not.
struct NamedFile {
  std::string path;   ///< "" = none is named
  std::string named;  ///< by which key, for people: "pool.yaml: line 4: tls: certificate"

  bool empty() const { return path.empty(); }
};

/// Its content, of at most 1 MiB. An Error says who names it, and what to do.
Result<std::string> ReadNamedFile(const NamedFile& file);

/// Where builds made with --save go, and what opens that registry.
struct SaveSettings {
  std::string repository;  ///< host[:port]/path; the build's id becomes the tag
  std::string username;
  Secret password;  ///< read from `password_file`
};

/// What tokens open and builds belong to.
struct ProjectSettings {
  std::string id;
  std::string name;          ///< default: the id
  std::string organization;  ///< ""
  std::optional<SaveSettings> save;
  int weight = 1;  ///< turns in the queue for one of others, 1 to 100
  int limit = 0;   ///< slots of a platform it may have at once; 0 = all
};

/// Somebody whose tokens open several projects.
struct UserSettings {
  std::string name;
  std::vector<std::string> projects;
};

/// One BuildKit that builds can get; or, with a name for DNS, all that are found by it.
struct BuilderSettings {
  std::string name;
  Platform platform;     ///< linux/amd64 or linux/arm64
  std::string endpoint;  ///< tcp://host:port, as clients reach it; "" = they are looked for
  std::string discover;  ///< a name that has their addresses, or (port 0) their SRV records
  std::uint16_t discover_port = 0;
  std::string server_name;
  std::string ca_pem;                 ///< who signed the builder's own certificate
  int slots = 1;                      ///< builds at once, each
  std::vector<std::string> projects;  ///< only these; empty = all

  friend bool operator==(const BuilderSettings&, const BuilderSettings&) = default;
};

/// Claims of a JWT that open a project: all must hold.
struct ClaimRule {
  std::string project;
  std::map<std::string, std::string> claims;  ///< name to value; `*` at the end is a prefix match
};

/// An issuer of JWTs (a GitLab, say) and what its tokens open.
struct OidcSettings {
  std::string issuer;     ///< as in `iss`
  std::string audience;   ///< as in `aud`
  std::string jwks_url;   ///< "" = from ISSUER/.well-known/openid-configuration
  std::string jwks_file;  ///< instead of the URL
  std::string ca_pem;     ///< of the issuer's HTTPS; "" = the system's
  std::vector<std::string>
      algorithms;  ///< RS256 RS384 RS512 PS256 ES256 ES384 EdDSA; default RS256
  std::vector<ClaimRule> rules;
};

/// A token as it is stored: its hash. Exactly one of project and user is set; one that the file
/// does not have (any more) is no error, the token opens nothing.
struct TokenRecord {
  std::string id;      ///< short, for people
  std::string sha256;  ///< hex, of the token's text
  std::string project;
  std::string user;
  std::int64_t created_at = 0;  ///< seconds since 1970
  std::int64_t expires_at = 0;  ///< 0 = never
  bool revoked = false;

  friend bool operator==(const TokenRecord&, const TokenRecord&) = default;
};

/// The whole file. A value; paths are resolved.
struct Settings {
  std::string listen = "0.0.0.0:8443";
  std::string url;            ///< how clients name the pool: https://pool.example:8443
  NamedFile tls_certificate;  ///< with tls_key "" = plain HTTP behind a proxy
  NamedFile tls_key;
  std::set<std::string> proxies;  ///< addresses whose X-Forwarded-For counts
  std::string state;              ///< directory: builds.sqlite, the authorities
  std::string store;              ///< URL of the database that pools share; "" = builds.sqlite
  Secret store_password;          ///< read from `store_password_file`
  int build_hours = 6;            ///< how long a build may take, 1 to 24
  int home_wait_seconds = 30;     ///< so long the first in the queue waits for a home; 0 = never
  int home_passes = 16;           ///< so often a build may be passed by others that go home
  int certificate_minutes = 10;   ///< life of a build's certificate for a builder, 1 to 60
  std::vector<ProjectSettings> projects;
  std::vector<UserSettings> users;
  std::vector<BuilderSettings> builders;
  std::vector<OidcSettings> oidc;
  std::vector<TokenRecord> tokens;

  const ProjectSettings* FindProject(const std::string& id) const;
  const UserSettings* FindUser(const std::string& name) const;
};

/// Reads and checks the file: unknown keys (the nearest is named), duplicates, references to what
/// is not there, weak algorithms, bad platforms are kInvalid with file and line. Relative paths are
/// from the file's directory; the files it names (PEM, password) are read too.
Result<Settings> ReadSettings(const std::string& file);

/// The same for a text that stands, or is to stand, in `file`.
Result<Settings> ParseSettings(const std::string& file, std::string_view text);

/// The tokens of the file and those that pools share in a database: of two with one id the shared
/// one holds, since it is the one that can be revoked everywhere at once.
std::vector<TokenRecord> JoinTokens(std::vector<TokenRecord> in_file,
                                    const std::vector<TokenRecord>& stored);

/// Adds a token record to the file's `tokens:` list, keeping everything else of the file byte for
/// byte, its mode and its owner, atomically, under a lock on its directory (waits up to 10 s);
/// checks that the result reads as before plus the record. kExists with a record of that id,
/// kNotFound without the record's project or user, kUnsupported with what to write by hand when the
/// list is not in a form that can be edited.
Result<> AddTokenRecord(const std::string& file, const TokenRecord& record);

/// Marks a record as revoked, in the same way. kNotFound without one of that id.
Result<> RevokeTokenRecord(const std::string& file, const std::string& id);

}  // namespace depot::settings
