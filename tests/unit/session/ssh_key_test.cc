#include "driver/session/ssh_key.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "temporary_directory.h"

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot::session::ssh_key_test {
namespace {

/// Keys that the real ssh-keygen makes, and its word on what we sign.
class SshKeys : public ::testing::Test {
 protected:
  std::string Slurp(const std::string& name) {
    std::ifstream in(directory_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void Run(const std::string& command) {
    const std::string line = Cat("cd '", directory_ / ".", "' && (", command, ") >/dev/null 2>&1");
    ASSERT_EQ(std::system(line.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe)
  }

  /// The file's key, and that its public half is the one that ssh-keygen wrote.
  void ExpectReads(const std::string& name) {
    auto key = SshKey::Read(Secret(Slurp(name)));
    ASSERT_TRUE(key.has_value()) << name << ": " << key.error().message();
    const std::string line = Slurp(name + ".pub");
    const std::size_t begin = line.find(' ') + 1;
    EXPECT_EQ(Base64(key->public_blob()),
              line.substr(begin, line.find_first_of(" \n", begin) - begin));
  }

  std::string Refusal(const std::string& text) {
    auto key = SshKey::Read(Secret(text));
    if (key) return "";
    EXPECT_EQ(key.error().code(), ErrorCode::kInvalid);
    return key.error().message();
  }

  TemporaryDirectory directory_;
};

TEST_F(SshKeys, ReadsEveryKindInEveryForm) {
  const std::vector<std::string> kinds = {"rsa -b 2048", "ecdsa -b 256", "ecdsa -b 384",
                                          "ecdsa -b 521", "ed25519"};
  for (const std::string& kind : kinds) {
    Run(Cat("rm -f k k.pub && ssh-keygen -q -N '' -f k -t ", kind));
    ExpectReads("k");
    if (kind == "ed25519") continue;
    for (const std::string form : {"PEM", "PKCS8"}) {
      Run(Cat("rm -f k k.pub && ssh-keygen -q -N '' -f k -t ", kind, " -m ", form));
      ExpectReads("k");
    }
  }
  Run("openssl genpkey -algorithm ed25519 -out k && chmod 600 k && ssh-keygen -y -f k >k.pub || "
      "touch k.pub");
  EXPECT_TRUE(SshKey::Read(Secret(Slurp("k"))).has_value());
}

TEST_F(SshKeys, ReadsWhatWasPastedWithOtherLineEnds) {
  Run("ssh-keygen -q -N '' -t ed25519 -f k && sed 's/$/\\r/' k >crlf && tr '\\n' ' ' <k >line");
  const std::string text = Slurp("k");
  ASSERT_TRUE(SshKey::Read(Secret(text)).has_value());
  EXPECT_TRUE(SshKey::Read(Secret(text.substr(0, text.size() - 1))).has_value());
  EXPECT_TRUE(SshKey::Read(Secret(Slurp("crlf"))).has_value());
  EXPECT_TRUE(SshKey::Read(Secret(Slurp("line"))).has_value());
}

TEST_F(SshKeys, SaysWhatATextIsInstead) {
  Run("ssh-keygen -q -N secret -t ed25519 -f k && ssh-keygen -q -N secret -t rsa -m PEM -f p && "
      "ssh-keygen -q -N secret -t ecdsa -m PKCS8 -f e && openssl genpkey -algorithm x25519 -out x");
  for (const char* name : {"k", "p", "e"}) {
    EXPECT_EQ(Refusal(Slurp(name)), "the key is encrypted with a passphrase") << name;
  }
  EXPECT_EQ(Refusal(Slurp("k.pub")), "is a public key");
  EXPECT_EQ(Refusal(""), "is empty: there is no key");
  EXPECT_EQ(Refusal("hello"), "is no private key");
  EXPECT_EQ(Refusal("PuTTY-User-Key-File-3: ssh-ed25519\n"), "is a key in PuTTY's form");
  EXPECT_EQ(Refusal(Slurp("x")), "is a kind of key that is not supported");
}

TEST_F(SshKeys, SaysThatAKeyIsDamaged) {
  Run("ssh-keygen -q -N '' -t rsa -b 2048 -f k");
  const std::string whole = Slurp("k");
  EXPECT_EQ(Refusal(whole.substr(0, whole.size() / 2)), "the key is cut off: it has no END line");
  // One changed letter in the middle is in the modulus or an exponent: the halves do not fit.
  std::string changed = whole;
  changed[whole.size() / 2] = changed[whole.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_NE(Refusal(changed).find("the key is damaged"), std::string::npos);
}

}  // namespace
}  // namespace depot::session::ssh_key_test
