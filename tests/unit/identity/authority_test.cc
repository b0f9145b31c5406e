#include "pool/identity/authority.h"

#include <filesystem>
#include <set>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"

namespace depot::identity::authority_test {
namespace {

using test::TempDir;

constexpr std::chrono::hours kLife{2};

struct Free {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
using CertificatePtr = std::unique_ptr<X509, Free>;

CertificatePtr Parse(std::string_view pem) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return CertificatePtr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

/// Whether a peer that trusts `ca` accepts the certificate for `purpose`, `seconds` from now.
bool Accepted(const std::string& ca,
              const std::string& pem,
              int purpose,
              std::int64_t seconds = 0) {
  const std::unique_ptr<X509_STORE, Free> store(X509_STORE_new());
  const CertificatePtr root = Parse(ca);
  const CertificatePtr leaf = Parse(pem);
  X509_STORE_add_cert(store.get(), root.get());
  const std::unique_ptr<X509_STORE_CTX, Free> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT);
  X509_STORE_CTX_set_time(context.get(), 0, std::time(nullptr) + seconds);
  return X509_verify_cert(context.get()) == 1;
}

bool KeyFits(const IssuedCertificate& issued) {
  const std::string_view pem = issued.key_pem.Reveal();
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, Free> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  return key && X509_check_private_key(Parse(issued.certificate_pem).get(), key.get()) == 1;
}

std::string Extension(X509* certificate, int nid) {
  const int at = X509_get_ext_by_NID(certificate, nid, -1);
  if (at < 0) return "none";
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  X509V3_EXT_print(bio.get(), X509_get_ext(certificate, at), 0, 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

mode_t ModeOf(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(stat(path.c_str(), &st), 0) << path;
  return st.st_mode & 07777;
}

TEST(OpenAuthority, MakesAnAuthorityOnce) {
  TempDir dir;
  const auto made = OpenAuthority(dir.path("state"));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(ModeOf(dir.path("state")), 0700U);
  EXPECT_EQ(ModeOf(dir.path("state/ca-key.pem")), 0600U);
  EXPECT_EQ((*made)->certificate_pem(), dir.Read("state/ca.pem"));
  const CertificatePtr certificate = Parse((*made)->certificate_pem());
  EXPECT_EQ(Extension(certificate.get(), NID_basic_constraints), "CA:TRUE, pathlen:0");
  EXPECT_EQ(Extension(certificate.get(), NID_key_usage), "Certificate Sign, CRL Sign");
  EXPECT_EQ(EVP_PKEY_get_bits(X509_get0_pubkey(certificate.get())), 256);
  const auto again = OpenAuthority(dir.path("state"));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ((*again)->certificate_pem(), (*made)->certificate_pem());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path("state")), {}), 2);
}

TEST(OpenAuthority, TwoAtATimeMakeTheSame) {
  TempDir dir;
  std::mutex mutex;
  std::set<std::string> seen;
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < 4; ++i) {
    group.Start("open", [&](const Cancel& /*cancel*/) -> Result<> {
      TRY_ASSIGN(auto authority, OpenAuthority(dir.path("state")));
      std::lock_guard lock(mutex);
      seen.insert(authority->certificate_pem());
      return {};
    });
  }
  const Result<> done = group.Wait();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(seen.size(), 1U);
}

TEST(OpenAuthority, RefusesAKeyThatOthersCanRead) {
  TempDir dir;
  ASSERT_TRUE(OpenAuthority(dir.path()));
  ASSERT_EQ(chmod(dir.path("ca-key.pem").c_str(), 0640), 0);
  const auto authority = OpenAuthority(dir.path());
  ASSERT_FALSE(authority);
  EXPECT_EQ(authority.error().code(), ErrorCode::kDenied);
  EXPECT_NE(authority.error().hint().find("chmod 600"), std::string::npos);
}

TEST(OpenAuthority, RefusesHalfAnAuthority) {
  for (const char* lost : {"ca.pem", "ca-key.pem"}) {
    TempDir dir;
    ASSERT_TRUE(OpenAuthority(dir.path()));
    std::filesystem::remove(dir.path(lost));
    const auto authority = OpenAuthority(dir.path());
    ASSERT_FALSE(authority);
    EXPECT_NE(authority.error().message().find(lost), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(dir.path(lost))) << "nothing is made in its place";
  }
}

TEST(OpenAuthority, RefusesWhatIsNoAuthority) {
  TempDir dir;
  TempDir other;
  ASSERT_TRUE(OpenAuthority(dir.path()));
  ASSERT_TRUE(OpenAuthority(other.path()));
  const std::string pem = dir.Read("ca.pem");
  dir.Write("ca.pem", other.Read("ca.pem"));
  EXPECT_FALSE(OpenAuthority(dir.path())) << "the key of another";
  dir.Write("ca.pem", "nonsense");
  EXPECT_FALSE(OpenAuthority(dir.path()));
  dir.Write("ca.pem", pem);
  EXPECT_TRUE(OpenAuthority(dir.path()));
  const auto leaf = IssueServerCertificate(dir.path(), {"x"}, kLife);
  ASSERT_TRUE(leaf);
  dir.Write("ca.pem", leaf->certificate_pem);
  dir.Write("ca-key.pem", leaf->key_pem.Reveal());
  EXPECT_FALSE(OpenAuthority(dir.path())) << "a leaf is no authority";
}

TEST(Issue, MakesAClientCertificateForOneBuild) {
  TempDir dir;
  const auto authority = OpenAuthority(dir.path());
  ASSERT_TRUE(authority);
  const Result<IssuedCertificate> issued =
      (*authority)->Issue({"amd64-1", "shop", "build1"}, kLife);
  ASSERT_TRUE(issued) << issued.error().message();
  EXPECT_TRUE(KeyFits(*issued));
  const std::string& ca = (*authority)->certificate_pem();
  EXPECT_TRUE(Accepted(ca, issued->certificate_pem, X509_PURPOSE_SSL_CLIENT));
  EXPECT_FALSE(Accepted(ca, issued->certificate_pem, X509_PURPOSE_SSL_SERVER));
  const CertificatePtr certificate = Parse(issued->certificate_pem);
  EXPECT_EQ(Extension(certificate.get(), NID_ext_key_usage), "TLS Web Client Authentication");
  EXPECT_EQ(Extension(certificate.get(), NID_subject_alt_name),
            "URI:depot-pool:builder:amd64-1, URI:depot-pool:project:shop, "
            "URI:depot-pool:build:build1");
  EXPECT_EQ(Extension(certificate.get(), NID_basic_constraints), "CA:FALSE");
  char name[100];
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                            sizeof name);
  EXPECT_EQ(std::string(name), "build1");
}

TEST(Issue, LivesFromFiveMinutesAgoForItsLifetime) {
  TempDir dir;
  const auto authority = OpenAuthority(dir.path());
  ASSERT_TRUE(authority);
  const Result<IssuedCertificate> issued = (*authority)->Issue({"b", "p", "1"}, kLife);
  ASSERT_TRUE(issued);
  const std::string& ca = (*authority)->certificate_pem();
  const auto accepted = [&](std::int64_t seconds) {
    return Accepted(ca, issued->certificate_pem, X509_PURPOSE_SSL_CLIENT, seconds);
  };
  EXPECT_TRUE(accepted(-240));
  EXPECT_FALSE(accepted(-360));
  EXPECT_TRUE(accepted(7200 - 120));
  EXPECT_FALSE(accepted(7200 + 60));
}

TEST(Issue, NoTwoAreAlike) {
  TempDir dir;
  const auto authority = OpenAuthority(dir.path());
  ASSERT_TRUE(authority);
  std::mutex mutex;
  std::set<std::string> serials;
  std::set<std::string> keys;
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < 4; ++i) {
    group.Start("issue", [&](const Cancel& /*cancel*/) -> Result<> {
      for (int n = 0; n < 10; ++n) {
        TRY_ASSIGN(const IssuedCertificate issued, (*authority)->Issue({"b", "p", "same"}, kLife));
        const CertificatePtr certificate = Parse(issued.certificate_pem);
        const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate.get());
        std::lock_guard lock(mutex);
        serials.emplace(reinterpret_cast<const char*>(serial->data),
                        static_cast<std::size_t>(serial->length));
        keys.emplace(issued.key_pem.Reveal());
      }
      return {};
    });
  }
  ASSERT_TRUE(group.Wait());
  EXPECT_EQ(serials.size(), 40U);
  EXPECT_EQ(keys.size(), 40U);
}

TEST(Issue, RefusesNamesThatAreNone) {
  TempDir dir;
  const auto authority = OpenAuthority(dir.path());
  ASSERT_TRUE(authority);
  for (const std::string& wrong :
       {std::string(), std::string("a,DNS:x"), std::string("a\nb"), std::string("a/b"),
        std::string(65, 'a'), std::string("a\0b", 3)}) {
    EXPECT_FALSE((*authority)->Issue({wrong, "p", "1"}, kLife)) << wrong;
    EXPECT_FALSE((*authority)->Issue({"b", wrong, "1"}, kLife)) << wrong;
    EXPECT_TRUE(wrong.empty() || !(*authority)->Issue({"b", "p", wrong}, kLife)) << wrong;
  }
  EXPECT_FALSE((*authority)->Issue({"b", "p", "1"}, std::chrono::seconds(0)));
}

TEST(OpenBuilderAuthority, EachBuilderHasItsOwn) {
  TempDir dir;
  BuilderAuthorities authorities(dir.path());
  const auto one = authorities.Of("one");
  const auto two = authorities.Of("two");
  ASSERT_TRUE(one && two);
  const auto issued = (*one)->Issue({"one", "p", "1"}, kLife);
  ASSERT_TRUE(issued);
  const std::string& pem = issued->certificate_pem;
  EXPECT_TRUE(Accepted((*one)->certificate_pem(), pem, X509_PURPOSE_SSL_CLIENT));
  EXPECT_FALSE(Accepted((*two)->certificate_pem(), pem, X509_PURPOSE_SSL_CLIENT));
  const auto of_servers = OpenAuthority(dir.path());
  ASSERT_TRUE(of_servers);
  EXPECT_FALSE(Accepted((*of_servers)->certificate_pem(), pem, X509_PURPOSE_SSL_CLIENT));
  const auto again = OpenBuilderAuthority(dir.path(), "one");
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->certificate_pem(), (*one)->certificate_pem());
  EXPECT_EQ(*authorities.Of("one"), *one);
  EXPECT_EQ(ModeOf(dir.path("builders/one")), 0700U);
}

TEST(BuilderAuthorities, TakeUpFilesThatWereReplaced) {
  TempDir dir;
  TempDir place;
  BuilderAuthorities authorities(dir.path());
  const auto old = authorities.Of("one");
  const auto fresh = OpenBuilderAuthority(place.path(), "one");
  ASSERT_TRUE(old && fresh);
  EXPECT_TRUE(authorities.Renew().empty()) << "nothing has changed";
  const auto move = [&](const std::string& file) {
    std::filesystem::rename(place.path("builders/one/" + file), dir.path("builders/one/" + file));
    return Join(authorities.Renew(), "");
  };
  EXPECT_NE(move("ca-key.pem").find("not used, the one from before stays"), std::string::npos);
  EXPECT_EQ(*authorities.Of("one"), *old) << "half of it is no authority";
  EXPECT_NE(move("ca.pem").find("signs from now on"), std::string::npos);
  EXPECT_EQ((*authorities.Of("one"))->certificate_pem(), (*fresh)->certificate_pem());
  EXPECT_TRUE((*old)->Issue({"one", "p", "1"}, kLife)) << "who has the old one may go on with it";
  std::filesystem::remove_all(dir.path("builders/one"));
  EXPECT_NE(Join(authorities.Renew(), "").find("not used"), std::string::npos);
  EXPECT_TRUE(authorities.Renew().empty()) << "it is said once";
  EXPECT_EQ((*authorities.Of("one"))->certificate_pem(), (*fresh)->certificate_pem());
}

TEST(OpenBuilderAuthority, StaysInItsFolder) {
  TempDir dir;
  for (const char* wrong : {"", ".", "..", "../x", "a/b", "a\nb"})
    EXPECT_FALSE(OpenBuilderAuthority(dir.path(), wrong)) << wrong;
}

TEST(ReadPass, ReadsWhatIssueWrote) {
  TempDir dir;
  const auto authority = OpenAuthority(dir.path());
  ASSERT_TRUE(authority);
  for (const Pass& pass : {Pass{"b@1", "p.2", "x-3"}, Pass{"b", "p", ""}}) {
    const auto issued = (*authority)->Issue(pass, kLife);
    ASSERT_TRUE(issued) << issued.error().message();
    const auto read = ReadPass(*Parse(issued->certificate_pem));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->builder, pass.builder);
    EXPECT_EQ(read->project, pass.project);
    EXPECT_EQ(read->build, pass.build);
  }
}

/// A certificate with these names, signed by itself.
CertificatePtr WithNames(const char* names) {
  CertificatePtr certificate(X509_new());
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  X509_add_ext(certificate.get(), extension, -1);
  X509_EXTENSION_free(extension);
  return certificate;
}

TEST(ReadPass, RefusesWhatNoPoolSays) {
  const CertificatePtr good = WithNames("URI:depot-pool:builder:b,URI:other:x,DNS:y");
  EXPECT_TRUE(ReadPass(*good));
  for (const char* names : {"DNS:b", "URI:other:builder:b", "URI:depot-pool:project:p",
                            "URI:depot-pool:builder:", "URI:depot-pool:builder",
                            "URI:depot-pool:builder:b,URI:depot-pool:builder:c",
                            "URI:depot-pool:builder:b,URI:depot-pool:anything:c",
                            "URI:depot-pool:builder:a/b", "URI:depot-pool:builder:.."}) {
    const auto pass = ReadPass(*WithNames(names));
    ASSERT_FALSE(pass) << names;
    EXPECT_EQ(pass.error().code(), ErrorCode::kDenied);
  }
  EXPECT_FALSE(ReadPass(*CertificatePtr(X509_new())));
}

TEST(IssueServerCertificate, IsForItsNames) {
  TempDir dir;
  const auto issued =
      IssueServerCertificate(dir.path(), {"builder", "*.pool.test", "10.0.0.1", "::1"}, kLife);
  ASSERT_TRUE(issued) << issued.error().message();
  EXPECT_TRUE(KeyFits(*issued));
  const std::string ca = dir.Read("ca.pem");
  EXPECT_TRUE(Accepted(ca, issued->certificate_pem, X509_PURPOSE_SSL_SERVER));
  EXPECT_FALSE(Accepted(ca, issued->certificate_pem, X509_PURPOSE_SSL_CLIENT));
  const CertificatePtr certificate = Parse(issued->certificate_pem);
  for (const char* host : {"builder", "x.pool.test"})
    EXPECT_EQ(X509_check_host(certificate.get(), host, 0, 0, nullptr), 1) << host;
  EXPECT_EQ(X509_check_host(certificate.get(), "other", 0, 0, nullptr), 0);
  for (const char* address : {"10.0.0.1", "::1"})
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), address, 0), 1) << address;
}

TEST(IssueServerCertificate, DoesNotOutliveItsAuthority) {
  TempDir dir;
  const auto issued =
      IssueServerCertificate(dir.path(), {std::string(70, 'a')}, std::chrono::days(36500));
  ASSERT_TRUE(issued) << issued.error().message();
  const CertificatePtr certificate = Parse(issued->certificate_pem);
  const CertificatePtr ca = Parse(dir.Read("ca.pem"));
  EXPECT_EQ(ASN1_TIME_compare(X509_get0_notAfter(certificate.get()), X509_get0_notAfter(ca.get())),
            0);
}

TEST(IssueServerCertificate, RefusesNamesThatAreNone) {
  TempDir dir;
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{}, {""}, {"a,IP:1.2.3.4"}, {"a b"}, {"ok", "https://x"}}) {
    EXPECT_FALSE(IssueServerCertificate(dir.path(), wrong, kLife));
  }
}

}  // namespace
}  // namespace depot::identity::authority_test
