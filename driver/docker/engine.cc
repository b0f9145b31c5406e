#include "driver/docker/engine.h"

#include <algorithm>
#include <set>

#include "driver/base/encode.h"
#include "driver/base/host_port.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/docker/contexts.h"
#include "driver/docker/message_stream.h"
#include "driver/event/step.h"
#include "driver/oci/digest.h"
#include "driver/oci/reference.h"

namespace depot::docker {
namespace {

constexpr std::chrono::seconds kInfoPatience(10);
constexpr std::chrono::seconds kQuestionPatience(60);
/// An Engine unpacks a large layer without a word.
constexpr std::chrono::seconds kSilence(600);

/// The X-Registry-Auth header (Engine API reference, "Authentication"); the Engine wants one even
/// when there is nothing to say.
Secret RegistryAuth(const Reference& reference,
                    const std::optional<registry::Credential>& credential) {
  Json auth = Json::Object();
  if (credential) {
    bool hub = reference.domain == "docker.io";
    auth.Set("serveraddress", Json::String(hub ? "https://index.docker.io/v1/" : reference.domain));
    if (!credential->identity_token.empty()) {
      auth.Set("identitytoken", Json::String(credential->identity_token.Reveal()));
    } else if (!credential->registry_token.empty()) {
      auth.Set("registrytoken", Json::String(credential->registry_token.Reveal()));
    } else {
      auth.Set("username", Json::String(credential->username));
      auth.Set("password", Json::String(credential->password.Reveal()));
    }
  }
  return Secret(Base64Url(auth.Dump()));
}

/// The Engine's own words for a failure status.
std::string MessageOf(std::string_view body) {
  Result<Json> json = Json::Parse(body);
  std::string text = json ? (*json)["message"].AsString() : std::string(body.substr(0, 500));
  return RedactUrls(Printable(Trim(text)));
}

bool HasOneOf(std::string_view message, std::initializer_list<std::string_view> words) {
  std::string lower = LowerAscii(message);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

bool IsRefusal(std::string_view message) {
  return HasOneOf(message, {"denied", "unauthorized", "authentication required",
                            "no basic auth credentials", "insufficient_scope"});
}

/// The texts of a registry and of both image stores for an image, or a platform of it, that is not
/// there.
bool IsAbsence(std::string_view message) {
  return HasOneOf(message, {"manifest unknown", "not found", "no matching manifest",
                            "does not match the specified platform"});
}

ErrorCode CodeOf(std::string_view message) {
  if (IsRefusal(message)) return ErrorCode::kDenied;
  return IsAbsence(message) ? ErrorCode::kNotFound : ErrorCode::kFailed;
}

EngineInfo ReadInfo(const Json& json) {
  EngineInfo info;
  info.server_version = json["ServerVersion"].AsString();
  info.id = json["ID"].AsString();
  auto platform =
      ParsePlatform(Cat(json["OSType"].AsString(), '/', json["Architecture"].AsString()));
  if (platform) info.platform = *std::move(platform);
  const Json status = json["DriverStatus"];
  for (std::size_t i = 0; i < status.size(); ++i) {
    info.containerd_store =
        info.containerd_store || (status[i][0].AsString() == "driver-type" &&
                                  status[i][1].AsString() == "io.containerd.snapshotter.v1");
  }
  return info;
}

std::vector<std::string> ReadTexts(const Json& list) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < list.size(); ++i)
    texts.push_back(list[i].AsString());
  return texts;
}

EngineImage ReadImage(const Json& json) {
  EngineImage image{
      json["Id"].AsString(), ReadTexts(json["RepoTags"]), ReadTexts(json["RootFS"]["Layers"]), {}};
  const Json manifests = json["Manifests"];
  for (std::size_t i = 0; i < manifests.size(); ++i)
    image.manifests[manifests[i]["ID"].AsString()] = manifests[i]["Available"].AsBool();
  return image;
}

/// Shows the layers of a message stream below a step.
class LayerProgress {
 public:
  /// `ends` are the beginnings of the status words that close a layer; a load has none, there the
  /// count closes it.
  LayerProgress(Step& step, std::string_view verb, std::vector<std::string_view> ends)
      : step_(step), verb_(verb), ends_(std::move(ends)) {}

  void Take(const EngineMessage& message) {
    if (message.id.empty() || closed_.contains(message.id)) return;
    std::string id = Cat(verb_, " layer ", message.id);
    if (message.total > 0) step_.Progress(id, message.current, message.total);
    if (!Ends(message)) return;
    step_.ProgressDone(id);
    closed_.insert(message.id);
  }

 private:
  bool Ends(const EngineMessage& message) const {
    if (ends_.empty()) return message.total > 0 && message.current >= message.total;
    return std::any_of(ends_.begin(), ends_.end(),
                       [&](std::string_view word) { return message.status.starts_with(word); });
  }

  Step& step_;
  std::string_view verb_;
  std::vector<std::string_view> ends_;
  std::set<std::string> closed_;
};

/// Not the Engine's own word, but that of what leads to it: an ssh, a proxy.
constexpr int kNotReached = 502;

Error WithWayOf(Error error, const EngineEndpoint& endpoint) {
  std::string hint = HintForUnreachable(endpoint, error);
  return std::move(error).WithHint(std::move(hint));
}

Error Unreached(const std::string& why, const EngineEndpoint& endpoint) {
  return WithWayOf(Error(ErrorCode::kUnavailable, Cat("cannot reach ", why)), endpoint);
}

class HttpEngine final : public Engine {
 public:
  HttpEngine(http::HttpClient& client, EngineEndpoint endpoint, const EngineAddress& address)
      : client_(client),
        endpoint_(std::move(endpoint)),
        name_(Cat("the Docker Engine at ", RedactUrls(Printable(endpoint_.host)))) {
    // The connection for building goes straight to the Engine, so this one does too.
    transport_.use_proxy = false;
    transport_.unix_socket = endpoint_.tunnel.empty() ? address.socket_path : endpoint_.tunnel;
    transport_.ca_pem = endpoint_.ca_pem;
    transport_.certificate_pem = endpoint_.certificate_pem;
    transport_.key_pem = endpoint_.key_pem;
    transport_.verify = endpoint_.verify;
    base_url_ = !transport_.unix_socket.empty()
                    ? "http://docker"
                    : Cat(endpoint_.tls ? "https://" : "http://",
                          JoinHostPort(address.address, std::to_string(address.port)));
  }

  Result<EngineInfo> Info(const Cancel& cancel) override {
    http::Request request = NewRequest("GET", "/info");
    TRY_ASSIGN(http::Response response,
               Send(request, cancel.WithTimeout(kInfoPatience, Cat(name_, " gave no answer"))));
    if (response.status != 200) return Fail(Refused("", response.status, response.body));
    Result<Json> json = Json::Parse(response.body);
    if (!json || !(*json)["ServerVersion"].is_string()) {
      return Fail(ErrorCode::kInvalid, Cat(name_, " does not answer like a Docker Engine"));
    }
    return ReadInfo(*json);
  }

  Result<> Load(const std::function<Result<std::size_t>(char*, std::size_t)>& read,
                Step& step,
                const Cancel& cancel) override {
    LayerProgress layers(step, "loading", {});
    EngineMessageStream stream([&](const EngineMessage& message) {
      layers.Take(message);
      if (!message.stream.empty()) step.Log(Printable(Trim(message.stream)));
    });
    http::Request request = NewRequest("POST", "/images/load?quiet=0");
    request.headers.emplace_back("Content-Type", "application/x-tar");
    std::optional<Error> source_error;
    request.body_source = [&](char* into, std::size_t capacity) {
      Result<std::size_t> got = read(into, capacity);
      if (!got) source_error = got.error();
      return got;
    };
    Result<> loaded = Stream(request, stream, "could not load the image", cancel);
    // A builder that went away is not the Engine's fault.
    if (!loaded && source_error && !stream.error()) loaded = Fail(*source_error);
    return loaded;
  }

  Result<std::vector<std::string>> Images(const Cancel& cancel) override {
    TRY_ASSIGN(const Json json, Ask("/images/json", "could not list its images", cancel));
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < json.size(); ++i)
      ids.push_back(json[i]["Id"].AsString());
    return ids;
  }

  Result<EngineImage> Image(const std::string& name, const Cancel& cancel) override {
    TRY_ASSIGN(const std::string known, NameInPath(name));
    TRY_ASSIGN(const Json json,
               Ask(Cat("/images/", known, "/json?manifests=1"), "could not show an image", cancel));
    return ReadImage(json);
  }

  Result<> Remove(const std::string& id, const Cancel& cancel) override {
    TRY_ASSIGN(const std::string known, NameInPath(id));
    http::Request request = NewRequest("DELETE", Cat("/images/", known, "?noprune=1"));
    TRY_ASSIGN(http::Response response, Send(request, Patience(cancel)));
    if (response.status == 200) return {};
    return Fail(Refused("could not remove an image", response.status, response.body));
  }

  Result<std::string> Push(const std::string& reference,
                           const std::optional<registry::Credential>& credential,
                           EventSink& sink,
                           const Cancel& cancel) override {
    TRY_ASSIGN(Reference parsed, ParseReference(reference));
    if (parsed.tag.empty() || !parsed.digest.empty()) {
      return Fail(ErrorCode::kInvalid,
                  Cat("cannot push ", reference, " with the Docker Engine: it pushes by tag only"));
    }
    Step step(sink, Cat("pushing ", FamiliarReference(parsed), " with docker"));
    std::string digest;
    LayerProgress layers(step, "pushing", {"Pushed", "Layer already exists", "Mounted from"});
    EngineMessageStream stream([&](const EngineMessage& message) {
      layers.Take(message);
      if (!message.digest.empty()) digest = message.digest;
    });
    http::Request request = NewRequest(
        "POST", Cat("/images/", RepositoryOf(parsed), "/push?tag=", http::UrlEncode(parsed.tag)));
    request.secret_headers.emplace_back("X-Registry-Auth", RegistryAuth(parsed, credential));
    std::string failure = Cat("could not push ", FamiliarReference(parsed));
    Result<> pushed = Stream(request, stream, failure, cancel);
    if (!pushed) {
      Error error = WithLoginHint(std::move(pushed).error(), parsed.domain);
      step.Failed(error);
      return Fail(std::move(error));
    }
    if (IsDigest(digest)) {
      step.ProgressDone(Cat("pushed ", FamiliarReference(parsed), '@', digest));
      return digest;
    }
    return step.Finish(Result<std::string>(
        Fail(ErrorCode::kInvalid,
             Cat(name_, " pushed ", FamiliarReference(parsed), " but did not say its digest"))));
  }

  Result<> Pull(const std::string& reference,
                const std::optional<Platform>& platform,
                const std::optional<registry::Credential>& credential,
                EventSink& sink,
                const Cancel& cancel) override {
    TRY_ASSIGN(Reference parsed, ParseReference(reference));
    Step step(sink, Cat("pulling ", FamiliarReference(parsed), " with docker"));
    LayerProgress layers(step, "pulling", {"Pull complete", "Already exists"});
    EngineMessageStream stream([&](const EngineMessage& message) {
      // Unpacking counts the same bytes once more.
      if (message.status != "Extracting") layers.Take(message);
    });
    std::string path = Cat("/images/create?fromImage=", http::UrlEncode(RepositoryOf(parsed)),
                           "&tag=", http::UrlEncode(VersionOf(parsed)));
    if (platform) path += Cat("&platform=", http::UrlEncode(FormatPlatform(*platform)));
    http::Request request = NewRequest("POST", path);
    request.secret_headers.emplace_back("X-Registry-Auth", RegistryAuth(parsed, credential));
    std::string failure = Cat("could not pull ", FamiliarReference(parsed));
    return step.Finish(Stream(request, stream, failure, cancel));
  }

  Result<> Tag(const std::string& reference,
               const std::string& tag,
               const Cancel& cancel) override {
    TRY_ASSIGN(const std::string known, NameInPath(reference));
    TRY_ASSIGN(Reference wanted, ParseReference(tag));
    http::Request request = NewRequest(
        "POST", Cat("/images/", known, "/tag?repo=", http::UrlEncode(RepositoryOf(wanted)),
                    "&tag=", http::UrlEncode(wanted.tag)));
    TRY_ASSIGN(http::Response response, Send(request, Patience(cancel)));
    if (response.status == 201) return {};
    const std::string shown =
        IsDigest(reference) ? reference : FamiliarReference(*ParseReference(reference));
    return Fail(Refused(Cat("could not name ", shown, " ", Printable(tag)), response.status,
                        response.body));
  }

 private:
  /// An id, or a reference, as it stands in a path.
  static Result<std::string> NameInPath(const std::string& name) {
    if (IsDigest(name)) return name;
    TRY_ASSIGN(const Reference known, ParseReference(name));
    return Cat(RepositoryOf(known), known.digest.empty() ? ":" : "@", VersionOf(known));
  }

  Cancel Patience(const Cancel& cancel) const {
    return cancel.WithTimeout(kQuestionPatience, Cat(name_, " gave no answer"));
  }

  /// The answer to a short question.
  Result<Json> Ask(const std::string& path, std::string_view failure, const Cancel& cancel) {
    TRY_ASSIGN(http::Response response, Send(NewRequest("GET", path), Patience(cancel)));
    if (response.status != 200) return Fail(Refused(failure, response.status, response.body));
    Result<Json> json = Json::Parse(response.body);
    if (json) return json;
    return Fail(ErrorCode::kInvalid, Cat(name_, ' ', failure, ": its answer is malformed"));
  }

  /// The digest, where there is one, says more than the tag.
  static const std::string& VersionOf(const Reference& reference) {
    return reference.digest.empty() ? reference.tag : reference.digest;
  }

  /// Without a version in the path the Engine speaks the newest it knows; what is used here is the
  /// same from 20.10 (API 1.41) on.
  http::Request NewRequest(std::string method, const std::string& path) const {
    http::Request request;
    request.method = std::move(method);
    request.url = base_url_ + path;
    request.secret_headers = endpoint_.headers;
    request.transport = transport_;
    request.peer = name_;
    return request;
  }

  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) {
    Result<http::Response> response = client_.Send(request, cancel);
    if (response || cancel.cancelled() || !response.error().hint().empty()) return response;
    Error error = std::move(response).error();
    if (error.code() == ErrorCode::kDenied) {
      return Fail(std::move(error).WithHint(
          transport_.unix_socket.empty()
              ? std::string(
                    "check the certificates in DOCKER_CERT_PATH; port 2375 usually speaks no TLS")
              : std::string(kSocketIsDenied)));
    }
    if (error.code() != ErrorCode::kUnavailable && error.code() != ErrorCode::kTimeout) {
      return Fail(std::move(error));
    }
    return Fail(WithWayOf(std::move(error), endpoint_));
  }

  Error Refused(std::string_view what, int status, std::string_view body) const {
    std::string message = MessageOf(body);
    if (message.empty()) message = "no message";
    if (status == kNotReached) return Unreached(Cat(name_, ": ", message), endpoint_);
    ErrorCode code = status == 404 ? ErrorCode::kNotFound : ErrorCode::kFailed;
    if (status == 401 || status == 403 || IsRefusal(message)) code = ErrorCode::kDenied;
    if (status == 503 || status == 504) code = ErrorCode::kUnavailable;
    Error error(code, Cat(name_, ' ', what.empty() ? "refused" : what, ": ", message, " (status ",
                          status, ')'));
    if (message.find("HTTP request to an HTTPS server") == std::string::npos) return error;
    return std::move(error).WithHint(
        "it speaks TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to its certificates");
  }

  /// Sends a request whose answer is a message stream.
  Result<> Stream(http::Request& request,
                  EngineMessageStream& stream,
                  std::string_view failure,
                  const Cancel& cancel) {
    request.body_sink = [&](std::string_view data) { return stream.Feed(data); };
    request.silence = kSilence;
    Result<http::Response> response = Send(request, cancel);
    // When the Engine gives up in the middle, its own words say more than the broken connection.
    if (stream.error() && !cancel.cancelled()) {
      return Fail(CodeOf(*stream.error()), Cat(name_, ' ', failure, ": ", *stream.error()));
    }
    if (!response) return Fail(std::move(response).error());
    if (response->status != 200) {
      return Fail(Refused(failure, response->status, stream.beginning()));
    }
    return {};
  }

  static Error WithLoginHint(Error error, const std::string& domain) {
    if (error.code() != ErrorCode::kDenied || !error.hint().empty()) return error;
    std::string host = domain == "docker.io" ? "" : Cat(' ', domain);
    return std::move(error).WithHint(
        Cat("log in first (docker login", host, ", or DOCKER_AUTH_CONFIG) as a user who may push"));
  }

  http::HttpClient& client_;
  EngineEndpoint endpoint_;
  std::string name_;
  http::Transport transport_;
  std::string base_url_;
};

}  // namespace

Result<std::unique_ptr<Engine>> MakeEngine(http::HttpClient& client, EngineEndpoint endpoint) {
  TRY_ASSIGN(EngineAddress address, ParseEngineHost(endpoint));
  if (!address.ssh.empty() && endpoint.tunnel.empty()) {
    return Fail(ErrorCode::kUnsupported, "HTTP goes to the Engine at ssh:// through a tunnel only");
  }
  return std::make_unique<HttpEngine>(client, std::move(endpoint), address);
}

}  // namespace depot::docker
