#include "driver/solve/causes.h"

#include <utility>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::solve::causes_test {
namespace {

struct Recorded {
  const char* text;  ///< as a builder said it
  const char* hint;  ///< a part of what the user is told
};

/// Texts of BuildKit 0.8 to 0.25, of registries and of git, cut short.
constexpr Recorded kRecorded[] = {
    {"failed to copy: httpReadSeeker: failed open: unexpected status code "
     "https://registry-1.docker.io/v2/library/x/manifests/y: 429 Too Many Requests - Server "
     "message: toomanyrequests: You have reached your pull rate limit.",
     "6 hours"},
    {"failed to push r/x: unexpected status: 429 Too Many Requests", "limit"},
    {"failed to push r/x: 401 Unauthorized", "docker login"},
    {"failed to push r:5000/x: unexpected status from POST request to http://r:5000/v2/: 401 ",
     "docker login"},
    {"failed to push r/x: unexpected status from POST request to https://r/v2/: 403 No Way",
     "docker login"},
    {"failed to push r/x: unexpected status from PUT request to https://r/v2/: 429", "limit"},
    {"pull access denied, repository does not exist or may require authorization: server message: "
     "insufficient_scope: authorization failed",
     "docker login"},
    {"failed to authorize: failed to fetch oauth token: the token has expired", "expired"},
    {"failed to do request: Head \"https://r/v2/\": http: server gave HTTP response to HTTPS "
     "client",
     "speaks no TLS: name it in"},
    {"failed to push r/x: failed to do request: Head \"https://r/v2/\": http: server gave HTTP "
     "response to HTTPS client",
     "speaks no TLS: say --output"},
    {"failed to do request: Head \"https://r/v2/\": tls: failed to verify certificate: x509: "
     "certificate signed by unknown authority",
     "buildkitd.toml"},
    {"x509: certificate is not valid for any names", "another name"},
    {"x509: certificate is valid for 127.0.0.1, not 127.0.0.2", "another name"},
    {"fatal: unable to access 'https://h/r.git/': SSL certificate problem: unable to get local "
     "issuer certificate",
     "git on the builder"},
    {"fatal: unable to access 'https://h/r.git/': server certificate verification failed. CAfile: "
     "none CRLfile: none",
     "git on the builder"},
    {"x509: certificate has expired or is not yet valid", "clock"},
    {"failed to do request: Head \"https://r/\": proxyconnect tcp: dial tcp 10.0.0.1:3128: "
     "connect: "
     "connection refused",
     "HTTPS_PROXY"},
    {"no match for platform in manifest: not found", "for this platform"},
    {"failed to resolve source metadata for docker.io/library/nope:latest: "
     "docker.io/library/nope:latest: not found",
     "no image of that name"},
    {"manifest unknown: manifest unknown", "no image of that name"},
    {"failed to push r/x: unexpected status from PUT request to https://r/v2/: 413 Request Entity "
     "Too Large",
     "client_max_body_size"},
    {"unexpected status from PUT request to http://r/v2/: 507 Insufficient Storage",
     "disk is full"},
    {"denied: requested storage quota is exceeded", "quota"},
    {"unexpected status from PUT request to https://r/v2/: 403 Forbidden - Server message: denied: "
     "the storage quota of the project is used up",
     "quota"},
    {"target stage \"nope\" could not be found (did you mean one?)", "--target"},
    {"target stage nope could not be found", "--target"},
    {"invalid stage index 3", "from 0"},
    {"failed to parse stage name \"/etc\": invalid reference format", "without --from"},
    {"failed to parse stage name \"Busybox\": invalid reference format: repository name "
     "(library/Busybox) must be lowercase",
     "lower case"},
    {"failed to authorize: rpc error: code = PermissionDenied desc = the token server "
     "https://h/token refused the credentials of DOCKER_AUTH_CONFIG: status 401",
     "wrong, or no longer good"},
    {"failed to do request: Head \"https://r/v2/\": tls: first record does not look like a TLS "
     "handshake",
     "http = true"},
    {"a check of the Dockerfile (--check, --lint) needs BuildKit 0.14 (Docker 27) or newer; this "
     "builder is older, and docker/dockerfile:1.8.1, which does it on older ones, cannot be had: "
     "failed to do request: Head \"https://registry-1.docker.io/v2/\": 429 "
     "Too Many Requests",
     "use a builder with that BuildKit"},
    {"granting entitlement network.host is not allowed by build daemon configuration",
     "insecure-entitlements"},
    {"network.host is not allowed: entitlement", "--allow"},
    {"unsupported frontend capability moby.buildkit.frontend.contexts", "--build-context"},
    {"dockerfile parse error on line 2: unknown flag: exclude", "# syntax="},
    {"unsupported request frontend.foo: unsupported request frontend.foo", "check, outline"},
    {"dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)",
     "typing error"},
    {"base name (${X}) should not be blank", "--build-arg"},
    {"no build stage in current context", "begins with FROM"},
    {"unterminated heredoc", "alone on a line"},
    {"process \"/bin/sh -c true\" did not complete successfully: unable to find user nobody2: no "
     "matching entries in passwd file",
     "give its number"},
    {"invalid user index: -1", "give its number"},
    {"failed to parse platform a/b/c/d/e", "linux/amd64"},
    {"circular dependency detected on stage: a", "circle"},
    {"secret s: not found", "--secret"},
    {"unset ssh forward key default", "--ssh"},
    {"git@host: Permission denied (publickey).", "--ssh"},
    {"Host key verification failed.", "GIT_AUTH_TOKEN"},
    {"fatal: could not read Username for 'https://h': terminal prompts disabled", "GIT_AUTH_TOKEN"},
    {"fatal: Authentication failed for 'https://h/'", "job token"},
    {"failed to read dockerfile: invalid subdir /nosub: failed to lstat \"nosub\": statat nosub: "
     "no "
     "such file or directory",
     "behind the second :"},
    {"repository does not contain ref nope, output: \"\"", "behind #"},
    {"fatal: unable to access 'https://h/': Could not resolve host: h", "DNS"},
    {"process \"/bin/sh -c x\" did not complete successfully: exit code: 137", "memory"},
    {"process \"/bin/sh -c x\" did not complete successfully: exit code: 137: cannot allocate "
     "memory",
     "memory"},
    {"process \"/bin/sh -c x\" did not complete successfully: exit code: 127", "PATH"},
    {"process \"/bin/sh -c x\" did not complete successfully: exit code: 126", "chmod"},
    {"exec /bin/sh: exec format error", "--platform"},
    {"runc run failed: unable to start container process: exec: \"/bin/sh\": stat /bin/sh: no such "
     "file or directory",
     "no shell"},
    {"runc run failed: unable to start container process: exec: \"/nope\": stat /nope: no such "
     "file "
     "or directory",
     "no such program"},
    {"runc run failed: unable to start container process: exec: \"nope\": executable file not "
     "found in $PATH",
     "no such program"},
    {"executor failed running [/bin/sh -c nope]: exit code: 127", "PATH"},
    {"executor failed running [/bin/sh -c /x]: exit code: 126", "chmod"},
    {"executor failed running [/bin/sh -c x]: exit code: 137", "memory"},
    {"failed to solve with frontend dockerfile.v0: failed to create LLB definition: r/x:t: not "
     "found",
     "no image of that name"},
    {"failed to solve with frontend dockerfile.v0: failed to create LLB definition: no match for "
     "platform in manifest sha256:9: not found",
     "for this platform"},
    {"failed to create LLB definition: dockerfile parse error line 2: Unknown flag: network",
     "# syntax="},
    {"lstat /var/lib/docker/overlay2/35ee/merged/nope: no such file or directory", "COPY --from"},
    {"Get \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client",
     "insecure-registries"},
    {"failed to read dockerfile: unexpected EOF", "ends too early"},
    {"write /x: no space left on device", "disk is full"},
    {"failed to calculate checksum of ref a::b: \"/x\": not found", "build context"},
    {"failed to load LLB: network.host is not allowed", "--allow"},
    {"lstat /var/lib/docker/tmp/buildkit-mount123/x: no such file or directory", "build context"},
    {"failed to read dockerfile: open Dockerfile: no such file or directory", "build context"},
    {"when using COPY with more than one source file: no source files were specified", "pattern"},
    {"failed to push r/x: dial tcp 10.0.0.1:443: connect: connection refused", "that registry"},
    {"dial tcp 10.0.0.1:443: i/o timeout", "that address"},
};

TEST(FindCause, KnowsWhatBuildersSay) {
  for (const Recorded& recorded : kRecorded) {
    const Cause* cause = FindCause(recorded.text);
    ASSERT_NE(cause, nullptr) << recorded.text;
    EXPECT_NE(cause->hint.find(recorded.hint), std::string_view::npos)
        << recorded.text << "\nhint: " << cause->hint;
  }
}

TEST(FindCause, GuessesAtNothing) {
  for (const char* text :
       {"", "process \"/bin/sh -c false\" did not complete successfully: exit code: 1",
        "process \"cat /x\" did not complete: open /x: no such file or directory",
        "stage \"x\": not found"}) {
    EXPECT_EQ(FindCause(text), nullptr) << text;
  }
}

TEST(FindCause, DoesNotLookIntoTheCommandOfAStep) {
  for (const char* words :
       {"echo 'access denied'; exit 3", "echo \\\"401 Unauthorized\\\"", "echo toomanyrequests",
        "echo no space left on device", "grep entitlement", "x || echo connection refused",
        "echo \" did not complete successfully: exit code: 137"}) {
    for (const auto& [before, behind] :
         {std::pair("process \"/bin/sh -c ", "\" did not complete successfully"),
          std::pair("executor failed running [/bin/sh -c ", "]")}) {
      const std::string text = Cat(before, words, behind, ": exit code: 3");
      EXPECT_EQ(FindCause(text), nullptr) << text;
    }
  }
  const Cause* other = FindCause("process \"sh\" did not complete successfully: access denied");
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->at, FailedAt::kAuthentication);
}

}  // namespace
}  // namespace depot::solve::causes_test
