#pragma once

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"
#include "driver/oci/reference.h"
#include "driver/registry/keyring.h"
#include "tests/unit/http/test_server.h"

namespace depot::registry {

/// One user, one password; the same for every host.
class OneCredential final : public CredentialSource {
 public:
  explicit OneCredential(std::optional<Credential> credential)
      : credential_(std::move(credential)) {}

  Result<std::optional<Credential>> Lookup(const std::string& host,
                                           const std::string&,
                                           int nth,
                                           const Cancel&) override {
    std::lock_guard lock(mutex_);
    hosts_.push_back(host);
    return nth == 0 ? credential_ : std::nullopt;
  }

  std::vector<std::string> hosts() {
    std::lock_guard lock(mutex_);
    return hosts_;
  }

 private:
  std::optional<Credential> credential_;
  std::mutex mutex_;
  std::vector<std::string> hosts_;
};

inline const std::string kPassword = "hunter2-s3cr3t";

inline Credential UserAndPassword() {
  return {"user", Secret(kPassword), {}, {}, "config.json"};
}

/// A registry over real sockets that keeps manifests and blobs in memory, and a token server. A
/// test may put `fault` in front of it: it sees every request under /v2/ that is let in, counted by
/// method and target, and answers it itself by returning true.
class RegistryServer {
 public:
  enum class Login { kNone, kBasic, kBearer };
  using Fault =
      std::function<bool(test::Connection&, const test::SeenRequest&, int how_many_before)>;

  explicit RegistryServer(Login login = Login::kNone, const test::ServerTls& tls = {})
      : login_(login),
        server_(test::TestServer::Always(
                    [this](test::Connection& connection, test::SeenRequest& request) {
                      Answer(connection, request);
                    }),
                tls) {
    ::signal(SIGPIPE, SIG_IGN);
  }

  std::string host() const { return Cat("127.0.0.1:", server_.port()); }

  Reference Name(const std::string& path, const std::string& tag = "latest") const {
    return {host(), path, tag, ""};
  }

  void set_fault(Fault fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }

  /// From now on what is written under a condition that does not hold is answered with 412.
  void KnowConditions() {
    std::lock_guard lock(mutex_);
    conditions_ = true;
  }

  /// Tokens given out before are refused from now on.
  void RevokeTokens() {
    std::lock_guard lock(mutex_);
    ++generation_;
  }

  std::string AddBlob(const std::string& path, const std::string& bytes) {
    std::string digest = DigestOf(bytes);
    std::lock_guard lock(mutex_);
    kept_[Cat("/v2/", path, "/blobs/", digest)] = {"application/octet-stream", bytes};
    return digest;
  }

  Descriptor AddManifest(const std::string& path,
                         const std::string& tag,
                         const std::string& media_type,
                         const std::string& bytes) {
    std::lock_guard lock(mutex_);
    std::string digest = DigestOf(bytes);
    kept_[Cat("/v2/", path, "/manifests/", digest)] = {media_type, bytes};
    if (!tag.empty()) kept_[Cat("/v2/", path, "/manifests/", tag)] = {media_type, bytes};
    Json json;
    json.Set("mediaType", Json::String(media_type));
    json.Set("digest", Json::String(digest));
    json.Set("size", Json::Number(static_cast<std::int64_t>(bytes.size())));
    return *ReadDescriptor(json);
  }

  void Remove(const std::string& target) {
    std::lock_guard lock(mutex_);
    kept_.erase(target);
  }

  /// What is kept under /v2/PATH/manifests/TAG; "" = nothing.
  std::string Content(const std::string& path, const std::string& tag) {
    std::lock_guard lock(mutex_);
    auto found = kept_.find(Cat("/v2/", path, "/manifests/", tag));
    return found == kept_.end() ? "" : found->second.bytes;
  }

  /// "METHOD TARGET" of everything that was asked, in order; without the probes of /v2/.
  std::vector<std::string> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  int Count(const std::string& start) {
    std::lock_guard lock(mutex_);
    int count = 0;
    for (const std::string& line : seen_)
      count += line.starts_with(start) ? 1 : 0;
    return count;
  }

 private:
  struct Kept {
    std::string media_type;
    std::string bytes;
  };

  void Answer(test::Connection& connection, const test::SeenRequest& request) {
    if (request.target == "/v2/") return connection.Reply(200, "{}");
    std::string line = Cat(request.method, ' ', request.target);
    Fault fault;
    int before = 0;
    {
      std::lock_guard lock(mutex_);
      seen_.push_back(line);
      if (request.target.starts_with("/token")) return GiveToken(connection, request);
      if (!IsLetIn(request)) return Challenge(connection, request);
      fault = fault_;
      before = counts_[line]++;
    }
    if (fault && fault(connection, request, before)) return;
    Serve(connection, request);
  }

  bool IsLetIn(const test::SeenRequest& request) const {
    auto found = request.headers.find("authorization");
    std::string given = found == request.headers.end() ? "" : found->second;
    if (login_ == Login::kNone) return true;
    if (login_ == Login::kBasic) return given == Cat("Basic ", Base64(Cat("user:", kPassword)));
    return given == Cat("Bearer token-", generation_);
  }

  void Challenge(test::Connection& connection, const test::SeenRequest& request) {
    std::string challenge = "Basic realm=\"test\"";
    if (login_ == Login::kBearer) {
      // Three challenges, of which one is understood and best.
      challenge = Cat("Negotiate, Basic realm=\"a, b\", Bearer realm=\"http://", host(),
                      "/token\",service=\"test\",scope=\"repository:elsewhere:pull\"");
    }
    std::string body =
        R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})";
    connection.Reply(401, request.method == "HEAD" ? "" : body,
                     Cat("WWW-Authenticate: ", challenge, "\r\n"));
  }

  void GiveToken(test::Connection& connection, const test::SeenRequest& request) const {
    bool ok = request.method == "GET" || request.body.find(kPassword) != std::string::npos;
    connection.Reply(ok ? 200 : 401,
                     Cat(R"({"access_token":"token-)", generation_, R"(","token":"token-)",
                         generation_, R"(","expires_in":300})"));
  }

  static std::string ETagOf(const std::string& bytes) { return Cat('"', DigestOf(bytes), '"'); }

  bool Holds(const test::SeenRequest& request) const {
    auto kept = kept_.find(request.target);
    if (request.headers.contains("if-none-match")) return kept == kept_.end();
    auto match = request.headers.find("if-match");
    if (match == request.headers.end()) return true;
    return kept != kept_.end() && ETagOf(kept->second.bytes) == match->second;
  }

  void Serve(test::Connection& connection, const test::SeenRequest& request) {
    std::lock_guard lock(mutex_);
    if (request.method == "PUT" && conditions_ && !Holds(request)) {
      return connection.Reply(412, R"({"errors":[{"code":"PRECONDITION"}]})");
    }
    if (request.method == "PUT") {
      std::string digest = DigestOf(request.body);
      kept_[request.target] = {request.headers.at("content-type"), request.body};
      std::string folder = request.target.substr(0, request.target.rfind('/') + 1);
      kept_[folder + digest] = kept_[request.target];
      return connection.Reply(201, "", Cat("Docker-Content-Digest: ", digest, "\r\n"));
    }
    auto found = kept_.find(request.target);
    bool head = request.method == "HEAD";
    if (found == kept_.end()) {
      std::string body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})";
      return connection.Reply(404, head ? "" : body);
    }
    const Kept& kept = found->second;
    std::string answer =
        Cat("HTTP/1.1 200 OK\r\nContent-Type: ", kept.media_type,
            "\r\nDocker-Content-Digest: ", DigestOf(kept.bytes), "\r\nEtag: ", ETagOf(kept.bytes),
            "\r\nContent-Length: ", kept.bytes.size(), "\r\n\r\n");
    if (!head) answer += kept.bytes;
    connection.Write(answer);
  }

  const Login login_;
  std::mutex mutex_;
  Fault fault_;
  int generation_ = 1;
  bool conditions_ = false;
  std::map<std::string, Kept> kept_;  ///< by target
  std::map<std::string, int> counts_;
  std::vector<std::string> seen_;
  test::TestServer server_;  // last: its threads use the rest
};

}  // namespace depot::registry
