#include "driver/docker/engine.h"

#include <csignal>
#include <mutex>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/http/test_server.h"

namespace depot::docker::engine_test {
namespace {

using test::Connection;
using test::SeenRequest;
using test::ServerTls;
using test::TempDir;
using test::TestAuthority;
using test::TestServer;

constexpr std::string_view kSecret = "hunter2-s3cr3t";
constexpr std::string_view kDigest =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

class RecordingSink final : public EventSink {
 public:
  void Emit(Event event) override {
    std::lock_guard lock(mutex_);
    if (const auto* vertex = std::get_if<Vertex>(&event)) last_ = *vertex;
    if (const auto* log = std::get_if<VertexLog>(&event)) lines_.push_back("log " + log->data);
    if (const auto* status = std::get_if<VertexStatus>(&event)) {
      lines_.push_back(Cat(status->id, ' ', status->current, '/', status->total,
                           status->completed ? " done" : ""));
    }
  }
  Vertex last_;
  std::vector<std::string> lines_;

 private:
  std::mutex mutex_;
};

/// A server on a unix socket that answers like an Engine.
class EngineTest : public testing::Test {
 protected:
  EngineTest() { ::signal(SIGPIPE, SIG_IGN); }

  void Serve(TestServer::Serve serve) {
    server_ = std::make_unique<TestServer>(std::move(serve), dir_.path("docker.sock"));
    endpoint_.host = "unix://" + dir_.path("docker.sock");
  }
  void Answer(int status, std::string body) {
    Serve(TestServer::Always([this, status, body](Connection& connection, SeenRequest& request) {
      seen_ = request;
      connection.Reply(status, body, "Content-Type: application/json\r\n");
    }));
  }
  Engine& Made() {
    Result<std::unique_ptr<Engine>> engine = MakeEngine(*client_, endpoint_);
    EXPECT_TRUE(engine);
    engine_ = *std::move(engine);
    return *engine_;
  }
  std::string Name() const { return "the Docker Engine at " + endpoint_.host; }

  Result<> Load(const std::function<Result<std::size_t>(char*, std::size_t)>& read,
                const Cancel& cancel) {
    Step step(sink_, "importing to docker");
    return step.Finish(Made().Load(read, step, cancel));
  }

  static Result<std::size_t> NoArchive(char*, std::size_t) { return 0; }

  TempDir dir_;
  SeenRequest seen_;
  RecordingSink sink_;
  EngineEndpoint endpoint_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(EngineTest, InfoTellsVersionAndStore) {
  endpoint_.headers = {{"X-Meta", Secret("7")}};
  Answer(200, R"({"ServerVersion":"26.1.5","DriverStatus":[["driver-type",)"
              R"("io.containerd.snapshotter.v1"]]})");
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->server_version, "26.1.5");
  EXPECT_TRUE(info->containerd_store);
  EXPECT_EQ(seen_.target, "/info");
  EXPECT_EQ(seen_.headers["x-meta"], "7");
}

TEST_F(EngineTest, ClassicStoreIsNotContainerd) {
  Answer(200, R"({"ServerVersion":"20.10.24","DriverStatus":[["Backing Filesystem","extfs"]]})");
  EXPECT_FALSE(Made().Info(Cancel::Never())->containerd_store);
}

TEST_F(EngineTest, OtherServersAreNotTakenForAnEngine) {
  Answer(200, "<html>hello</html>");
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().message(), Name() + " does not answer like a Docker Engine");
}

TEST_F(EngineTest, MissingSocketSaysWhereAndWhatToDo) {
  endpoint_.host = "unix:///nonexistent/docker.sock";
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(info.error().message(),
            "cannot reach the Docker Engine at unix:///nonexistent/docker.sock: no such file or "
            "directory");
  EXPECT_TRUE(info.error().hint().starts_with("is the Docker daemon running?"));
}

TEST_F(EngineTest, RefusedTcpConnectionSaysWhereAndWhatToDo) {
  {
    TestServer closed([](Connection&) {});
    endpoint_.host = Cat("tcp://127.0.0.1:", closed.port());
  }
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().message(), Cat("cannot reach ", Name(), ": connection refused"));
  EXPECT_FALSE(info.error().hint().empty());
}

TEST_F(EngineTest, SilentEngineIsLeftWhenCancelled) {
  Serve([](Connection& connection) { connection.StaySilent(); });
  auto start = std::chrono::steady_clock::now();
  Result<EngineInfo> info =
      Made().Info(Cancel::Never().WithTimeout(std::chrono::milliseconds(100), "the test"));
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code(), ErrorCode::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(400));
}

TEST_F(EngineTest, MutualTlsReachesTheEngine) {
  TestAuthority authority;
  authority.Issue("server", "IP:127.0.0.1");
  authority.Issue("client", "DNS:client");
  TestServer server(TestServer::Always([](Connection& connection, SeenRequest&) {
                      connection.Reply(200, R"({"ServerVersion":"26"})");
                    }),
                    ServerTls{authority.path("server.pem"), authority.path("server.key"),
                              authority.path("ca.pem")});
  endpoint_.host = Cat("tcp://127.0.0.1:", server.port());
  endpoint_.tls = true;
  endpoint_.ca_pem = authority.Pem("ca.pem");
  Result<EngineInfo> refused = Made().Info(Cancel::Never());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find(Name()), std::string::npos);
  EXPECT_FALSE(refused.error().hint().empty());
  endpoint_.certificate_pem = authority.Pem("client.pem");
  endpoint_.key_pem = Secret(authority.Pem("client.key"));
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  EXPECT_TRUE(info) << info.error().message();
}

TEST_F(EngineTest, PlainSpeechToATlsPortIsExplained) {
  Answer(400, "Client sent an HTTP request to an HTTPS server.\n");
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  ASSERT_FALSE(info);
  EXPECT_NE(info.error().hint().find("DOCKER_TLS_VERIFY"), std::string::npos);
}

TEST_F(EngineTest, LoadStreamsTheArchiveAndShowsLayers) {
  Answer(200,
         "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":5,\"total\":10},\"id\":"
         "\"aa\"}\r\n{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":10,\"total\":10"
         "},\"id\":\"aa\"}\r\n{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":10,"
         "\"total\":10},\"id\":\"aa\"}\r\n{\"stream\":\"Loaded image: x:1\\n\"}\r\n");
  std::vector<std::string> chunks = {"end", "middle-", "start-"};
  Result<> loaded = Load(
      [&](char* into, std::size_t capacity) -> Result<std::size_t> {
        if (chunks.empty()) return 0;
        std::string chunk = chunks.back();
        chunks.pop_back();
        EXPECT_LE(chunk.size(), capacity);
        std::memcpy(into, chunk.data(), chunk.size());
        return chunk.size();
      },
      Cancel::Never());
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(seen_.method + ' ' + seen_.target, "POST /images/load?quiet=0");
  EXPECT_EQ(seen_.headers["content-type"], "application/x-tar");
  EXPECT_EQ(seen_.body, "start-middle-end");
  EXPECT_EQ(sink_.last_.name, "importing to docker");
  EXPECT_TRUE(sink_.last_.completed && sink_.last_.error.empty());
  EXPECT_EQ(sink_.lines_,
            (std::vector<std::string>{"loading layer aa 5/10", "loading layer aa 10/10",
                                      "loading layer aa 10/10 done", "log Loaded image: x:1\n"}));
}

TEST_F(EngineTest, ErrorInTheLoadStreamFailsDespiteStatus200) {
  Answer(200, R"({"errorDetail":{"message":"invalid tar header"},"error":"invalid tar header"})");
  Result<> loaded = Load(NoArchive, Cancel::Never());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kFailed);
  EXPECT_EQ(loaded.error().message(), Name() + " could not load the image: invalid tar header");
  EXPECT_EQ(sink_.last_.error, loaded.error().message());
}

TEST_F(EngineTest, LoadRefusedByStatusGivesTheEnginesMessage) {
  Answer(500, R"({"message":"no space left on device"})");
  Result<> loaded = Load(NoArchive, Cancel::Never());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message(),
            Name() + " could not load the image: no space left on device (status 500)");
}

TEST_F(EngineTest, EngineThatGivesUpInTheMiddleIsQuoted) {
  Serve([](Connection& connection) {
    SeenRequest request;
    connection.ReadHead(request);
    connection.Write(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "22\r\n{\"errorDetail\":{\"message\":\"full\"}}\n\r\n");
  });
  Result<> loaded = Load(
      [](char* into, std::size_t capacity) -> Result<std::size_t> {
        std::memset(into, 0, capacity);
        Cancel::Never().SleepFor(std::chrono::milliseconds(20));
        return capacity;
      },
      Cancel::Never());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message(), Name() + " could not load the image: full");
}

TEST_F(EngineTest, ErrorOfTheArchivesSourceIsNotBlamedOnTheEngine) {
  Answer(200, "");
  Result<> loaded = Load(
      [](char*, std::size_t) -> Result<std::size_t> {
        return Fail(ErrorCode::kUnavailable, "the builder went away");
      },
      Cancel::Never());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message(), "the builder went away");
  EXPECT_EQ(loaded.error().hint(), "");
}

TEST_F(EngineTest, LoadStopsWhenCancelledInTheMiddle) {
  Serve([](Connection& connection) {
    SeenRequest request;
    connection.ReadHead(request);
    connection.cancel().SleepFor(std::chrono::seconds(30));
  });
  CancelSource source;
  int calls = 0;
  auto start = std::chrono::steady_clock::now();
  Result<> loaded = Load(
      [&](char* into, std::size_t capacity) -> Result<std::size_t> {
        if (++calls == 1) source.Request(Error(ErrorCode::kCancelled, "stop"));
        std::memset(into, 0, capacity);
        return capacity;
      },
      source.cancel());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(sink_.last_.error.ends_with("context canceled"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));
}

std::string Decoded(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return FromBase64(text).value_or("malformed");
}

TEST_F(EngineTest, PushSendsTheCredentialAndGivesTheDigest) {
  Answer(200, Cat(R"({"status":"The push refers to repository [r.test/a]"})", "\r\n",
                  R"({"status":"Preparing","progressDetail":{},"id":"aa"})", "\r\n",
                  R"({"status":"Pushing","progressDetail":{"current":1,"total":2},"id":"aa"})",
                  R"({"status":"Pushed","progressDetail":{},"id":"aa"})", "\n",
                  R"({"status":"Layer already exists","progressDetail":{},"id":"bb"})", "\n",
                  R"({"status":"1: digest: )", kDigest, R"( size: 528"})"));
  registry::Credential credential{"me", Secret("p?>?>~"), {}, {}, "test"};
  Result<std::string> digest = Made().Push("r.test:5000/a/b:1", credential, sink_, Cancel::Never());
  ASSERT_TRUE(digest) << digest.error().message();
  EXPECT_EQ(*digest, kDigest);
  EXPECT_EQ(seen_.method + ' ' + seen_.target, "POST /images/r.test:5000/a/b/push?tag=1");
  std::string header = seen_.headers["x-registry-auth"];
  EXPECT_EQ(header.find_first_of("+/"), std::string::npos) << header;
  EXPECT_EQ(Decoded(header),
            R"({"password":"p?>?>~","serveraddress":"r.test:5000","username":"me"})");
  EXPECT_EQ(sink_.last_.name, "pushing r.test:5000/a/b:1 with docker");
  EXPECT_TRUE(sink_.last_.completed && sink_.last_.error.empty());
  const std::string result = Cat("pushed r.test:5000/a/b:1@", kDigest, " 0/0");
  EXPECT_EQ(sink_.lines_,
            (std::vector<std::string>{"pushing layer aa 1/2", "pushing layer aa 1/2 done",
                                      "pushing layer bb 0/0", "pushing layer bb 0/0 done", result,
                                      Cat(result, " done")}));
}

TEST_F(EngineTest, PushToTheHubUsesItsKeyAndTokens) {
  Answer(200, Cat(R"({"status":"latest: digest: )", kDigest, "\"}"));
  registry::Credential credential{"", {}, Secret("it"), {}, "test"};
  ASSERT_TRUE(Made().Push("me/app", credential, sink_, Cancel::Never()));
  EXPECT_EQ(seen_.target, "/images/docker.io/me/app/push?tag=latest");
  EXPECT_EQ(Decoded(seen_.headers["x-registry-auth"]),
            R"({"identitytoken":"it","serveraddress":"https://index.docker.io/v1/"})");
  ASSERT_TRUE(Made().Push("me/app", std::nullopt, sink_, Cancel::Never()));
  EXPECT_EQ(Decoded(seen_.headers["x-registry-auth"]), "{}");
}

TEST_F(EngineTest, RefusedPushSaysHowToLogIn) {
  Answer(200,
         R"({"errorDetail":{"message":"denied: requested access to the resource is denied"}})");
  registry::Credential credential{"me", Secret(std::string(kSecret)), {}, {}, "test"};
  Result<std::string> digest = Made().Push("r.test/a:1", credential, sink_, Cancel::Never());
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().code(), ErrorCode::kDenied);
  EXPECT_EQ(digest.error().message(),
            Name() +
                " could not push r.test/a:1: denied: requested access to the resource is "
                "denied");
  EXPECT_NE(digest.error().hint().find("docker login r.test"), std::string::npos);
  EXPECT_EQ(digest.error().message().find(kSecret), std::string::npos);
  EXPECT_EQ(sink_.last_.error, digest.error().message());
}

TEST_F(EngineTest, PushWithoutADigestInTheAnswerIsAFailure) {
  Answer(200, R"({"status":"Pushed","id":"aa"})");
  Result<std::string> digest = Made().Push("r.test/a:1", std::nullopt, sink_, Cancel::Never());
  ASSERT_FALSE(digest);
  EXPECT_NE(digest.error().message().find("did not say its digest"), std::string::npos);
  EXPECT_FALSE(sink_.last_.error.empty());
  EXPECT_FALSE(Made().Push(Cat("r.test/a@", kDigest), std::nullopt, sink_, Cancel::Never()));
}

TEST_F(EngineTest, PullSendsPlatformAndCredentialAndShowsLayers) {
  Answer(200, Cat(R"({"status":"Pulling from a/b","id":"1"})", "\n",
                  R"({"status":"Pulling fs layer","progressDetail":{},"id":"aa"})", "\n",
                  R"({"status":"Downloading","progressDetail":{"current":3,"total":9},"id":"aa"})",
                  R"({"status":"Download complete","progressDetail":{},"id":"aa"})", "\n",
                  R"({"status":"Extracting","progressDetail":{"current":1,"total":9},"id":"aa"})",
                  R"({"status":"Pull complete","progressDetail":{},"id":"aa"})", "\n",
                  R"({"status":"Already exists","progressDetail":{},"id":"bb"})", "\n",
                  R"({"status":"Status: Downloaded newer image for r.test:5000/a/b:1"})"));
  registry::Credential credential{"x-token", Secret(std::string(kSecret)), {}, {}, "test"};
  Result<> pulled = Made().Pull("r.test:5000/a/b:1", Platform{"linux", "arm", "v7"}, credential,
                                sink_, Cancel::Never());
  ASSERT_TRUE(pulled) << pulled.error().message();
  EXPECT_EQ(seen_.method + ' ' + seen_.target,
            "POST /images/create?fromImage=r.test%3A5000%2Fa%2Fb&tag=1&platform=linux%2Farm%2Fv7");
  EXPECT_EQ(Decoded(seen_.headers["x-registry-auth"]),
            R"({"password":"hunter2-s3cr3t","serveraddress":"r.test:5000","username":"x-token"})");
  EXPECT_EQ(sink_.last_.name, "pulling r.test:5000/a/b:1 with docker");
  EXPECT_TRUE(sink_.last_.completed && sink_.last_.error.empty());
  EXPECT_EQ(sink_.lines_,
            (std::vector<std::string>{"pulling layer aa 3/9", "pulling layer aa 3/9 done",
                                      "pulling layer bb 0/0", "pulling layer bb 0/0 done"}));
}

TEST_F(EngineTest, PullByDigestAsksForTheDigest) {
  Answer(200, "");
  ASSERT_TRUE(
      Made().Pull(Cat("busybox:1@", kDigest), std::nullopt, std::nullopt, sink_, Cancel::Never()));
  EXPECT_EQ(seen_.target, Cat("/images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=",
                              "sha256%3A", kDigest.substr(7)));
}

TEST_F(EngineTest, PullThatFailsSaysWhatKind) {
  Answer(200, R"({"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"})");
  Result<> absent = Made().Pull("r.test/a:1", std::nullopt, std::nullopt, sink_, Cancel::Never());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(absent.error().message(), Name() + " could not pull r.test/a:1: manifest unknown");
  EXPECT_EQ(sink_.last_.error, absent.error().message());
}

TEST_F(EngineTest, PullThatIsRefusedIsNoMissingImage) {
  Answer(404, R"({"message":"pull access denied for a"})");
  Result<> denied = Made().Pull("a", std::nullopt, std::nullopt, sink_, Cancel::Never());
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code(), ErrorCode::kDenied);
}

TEST_F(EngineTest, TagNamesAnImageTheEngineHas) {
  Answer(201, "");
  ASSERT_TRUE(Made().Tag("r.test:5000/a/b:1", "app", Cancel::Never()));
  EXPECT_EQ(seen_.method + ' ' + seen_.target,
            "POST /images/r.test:5000/a/b:1/tag?repo=docker.io%2Flibrary%2Fapp&tag=latest");
  ASSERT_TRUE(Made().Tag(Cat("r.test/a@", kDigest), "me/app:2", Cancel::Never()));
  EXPECT_EQ(seen_.target,
            Cat("/images/r.test/a@", kDigest, "/tag?repo=docker.io%2Fme%2Fapp&tag=2"));
}

TEST_F(EngineTest, TagOfAnImageThatIsNotThereIsSaid) {
  Answer(404, R"({"message":"No such image: a:latest"})");
  Result<> tagged = Made().Tag("a", "b", Cancel::Never());
  ASSERT_FALSE(tagged);
  EXPECT_EQ(tagged.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(tagged.error().message(),
            Name() + " could not name a:latest b: No such image: a:latest (status 404)");
}

TEST_F(EngineTest, TagTakesAnId) {
  Answer(201, "");
  ASSERT_TRUE(Made().Tag(std::string(kDigest), "app", Cancel::Never()));
  EXPECT_EQ(seen_.target,
            Cat("/images/", kDigest, "/tag?repo=docker.io%2Flibrary%2Fapp&tag=latest"));
}

TEST_F(EngineTest, InfoTellsIdAndPlatform) {
  Answer(200, R"({"ServerVersion":"1","ID":"a:b","OSType":"linux","Architecture":"x86_64"})");
  Result<EngineInfo> info = Made().Info(Cancel::Never());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->id, "a:b");
  ASSERT_TRUE(info->platform);
  EXPECT_EQ(FormatPlatform(*info->platform), "linux/amd64");
}

TEST_F(EngineTest, ImageTellsLayersAndWhichManifestsAreWhole) {
  Answer(200, Cat(R"({"Id":")", kDigest,
                  R"(","RepoTags":["app:1"],"RootFS":{"Layers":["a","b"]},"Manifests":[)",
                  R"({"ID":"m","Available":true},{"ID":"n","Available":false}]})"));
  Result<EngineImage> image = Made().Image("app:1", Cancel::Never());
  ASSERT_TRUE(image);
  EXPECT_EQ(seen_.target, "/images/docker.io/library/app:1/json?manifests=1");
  EXPECT_EQ(image->id, kDigest);
  EXPECT_EQ(image->names, (std::vector<std::string>{"app:1"}));
  EXPECT_EQ(image->diff_ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(image->manifests, (std::map<std::string, bool>{{"m", true}, {"n", false}}));
}

TEST_F(EngineTest, AnImageThatIsNotThereIsNotFound) {
  Answer(404, R"({"message":"No such image: app:1"})");
  Result<EngineImage> image = Made().Image("app:1", Cancel::Never());
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), ErrorCode::kNotFound);
}

TEST_F(EngineTest, ImagesAreListedByTheirIds) {
  Answer(200, R"([{"Id":"sha256:b"},{"Id":"sha256:a"}])");
  Result<std::vector<std::string>> images = Made().Images(Cancel::Never());
  ASSERT_TRUE(images);
  EXPECT_EQ(*images, (std::vector<std::string>{"sha256:b", "sha256:a"}));
}

TEST_F(EngineTest, RemovedIsOneImageWithoutItsParents) {
  Answer(200, "[]");
  ASSERT_TRUE(Made().Remove(std::string(kDigest), Cancel::Never()));
  EXPECT_EQ(seen_.method + ' ' + seen_.target, Cat("DELETE /images/", kDigest, "?noprune=1"));
}

TEST_F(EngineTest, EnormousMessagesAreRefused) {
  Answer(200, Cat("{\"stream\":\"", std::string(2 << 20, 'x'), "\"}"));
  Result<> loaded = Load(NoArchive, Cancel::Never());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kInvalid);
}

TEST(MakeEngine, RefusesAddressesItCannotUse) {
  std::unique_ptr<http::HttpClient> client =
      http::MakeCurlClient("test/1", std::chrono::seconds(1), SystemRoots());
  EngineEndpoint endpoint;
  endpoint.host = "ssh://h";
  Result<std::unique_ptr<Engine>> engine = MakeEngine(*client, endpoint);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace depot::docker::engine_test
