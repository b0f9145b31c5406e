#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <optional>

#include <sys/stat.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/base/yaml.h"
#include "driver/disk/read_file.h"
#include "pool/settings/durable_file.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

// The file belongs to people, with their comments and their order, so it is edited as text: the
// parsed document says in which line something stands, and after the edit the text is parsed again
// and must mean what it meant before plus the one change. What cannot be done like this is refused.

namespace depot::settings {
namespace {

constexpr std::chrono::seconds kLockWait{10};

/// The lines of a text, each with its line break; numbers are 1-based, as in Yaml::line.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
      lines_.emplace_back(text.substr(0, length));
      text.remove_prefix(length);
    }
  }

  int count() const { return static_cast<int>(lines_.size()); }
  bool Has(int number) const { return number >= 1 && number <= count(); }
  std::string& At(int number) { return lines_[static_cast<std::size_t>(number) - 1]; }

  /// With the line breaks of the line before, which gets one when it has none.
  void InsertAfter(int number, const std::vector<std::string>& added) {
    std::string line_break = "\n";
    if (number > 0) {
      if (At(number).ends_with("\r\n")) line_break = "\r\n";
      if (!At(number).ends_with('\n')) At(number) += line_break;
    }
    auto place = lines_.begin() + number;
    for (const std::string& line : added)
      place = lines_.insert(place, line + line_break) + 1;
  }

  std::string Text() const { return Join(lines_, ""); }

 private:
  std::vector<std::string> lines_;
};

/// Where an item of a block list stands.
struct Item {
  std::size_t dash = 0;  ///< column of its `-`
  std::size_t keys = 0;  ///< column of its keys
  int first = 0;         ///< line of the first key
  int last = 0;          ///< its last line that is not a comment
};

/// Blanks, and a `- ` that belongs to this line.
std::size_t KeyColumn(std::string_view line) {
  std::size_t column = line.find_first_not_of(' ');
  if (column == std::string_view::npos) return line.size();
  if (line[column] == '-' && column + 1 < line.size() && line[column + 1] == ' ') {
    column = std::min(line.find_first_not_of(' ', column + 1), line.size());
  }
  return column;
}

/// Line of the last thing that has a place of its own: a value that is absent has none.
int LastLine(const Yaml& node) {
  int last = node.kind == Yaml::Kind::kNull ? 0 : node.line;
  for (const Yaml& item : node.items)
    last = std::max(last, LastLine(item));
  for (const auto& [key, value] : node.keys)
    last = std::max(last, LastLine(value));
  return last;
}

/// nullopt unless the list and the item are in block style.
std::optional<Item> FindItem(Lines& lines, const Yaml& list, std::size_t index) {
  if (!lines.Has(list.line) || !lines.Has(list.items[index].line)) return std::nullopt;
  Item item;
  item.dash = lines.At(list.line).find_first_not_of(' ');
  if (item.dash == std::string::npos || lines.At(list.line)[item.dash] != '-') return std::nullopt;
  item.first = list.items[index].line;
  item.keys = KeyColumn(lines.At(item.first));
  if (item.keys >= lines.At(item.first).size() || lines.At(item.first)[item.keys] == '{') {
    return std::nullopt;
  }
  item.last = std::max(item.first, LastLine(list.items[index]));
  // A key without a value, or a value of several lines.
  for (int next = item.last + 1; lines.Has(next); ++next) {
    const std::string& line = lines.At(next);
    const std::size_t column = line.find_first_not_of(" \r\n");
    if (column == std::string::npos || line[column] == '#') continue;
    if (column <= item.dash) break;
    item.last = next;
  }
  return item;
}

/// The record as the value of a list item. Names and hashes hold nothing that quotes would break.
std::vector<std::string> RecordFields(const TokenRecord& record) {
  std::vector<std::string> fields{Cat("id: \"", record.id, '"'),
                                  Cat("sha256: \"", record.sha256, '"')};
  if (!record.project.empty()) fields.push_back(Cat("project: \"", record.project, '"'));
  if (!record.user.empty()) fields.push_back(Cat("user: \"", record.user, '"'));
  if (record.created_at != 0) {
    fields.push_back(Cat("created: \"", FormatTime(record.created_at), '"'));
  }
  if (record.expires_at != 0) {
    fields.push_back(Cat("expires: \"", FormatTime(record.expires_at), '"'));
  }
  if (record.revoked) fields.emplace_back("revoked: true");
  return fields;
}

std::vector<std::string> BlockItem(const TokenRecord& record, std::size_t dash) {
  std::vector<std::string> lines;
  for (const std::string& field : RecordFields(record))
    lines.push_back(Cat(std::string(dash, ' '), lines.empty() ? "- " : "  ", field));
  return lines;
}

/// Makes `tokens:`, `tokens: []` or `tokens: ~` ready for a block list below it; its line, or 0
/// when the file has no such line.
int OpenEmptyList(Lines& lines) {
  constexpr std::string_view kKey = "tokens:";
  for (int number = 1; number <= lines.count(); ++number) {
    std::string& line = lines.At(number);
    if (!line.starts_with(kKey)) continue;
    const std::size_t comment = std::min(line.find(" #"), line.size());
    const std::string value(
        Trim(std::string_view(line).substr(kKey.size(), comment - kKey.size())));
    if (value == "[]" || value == "[ ]" || value == "~" || value == "null") {
      const std::size_t begin = kKey.size();
      line.erase(begin, line.find(value, begin) + value.size() - begin);
    }
    return number;
  }
  return 0;
}

std::string WithRecord(const std::string& text, const Yaml& root, const TokenRecord& record) {
  Lines lines(text);
  const Yaml* tokens = root.Find("tokens");
  if (tokens != nullptr && !tokens->items.empty()) {
    const std::optional<Item> last = FindItem(lines, *tokens, tokens->items.size() - 1);
    if (!last) return text;
    lines.InsertAfter(last->last, BlockItem(record, last->dash));
    return lines.Text();
  }
  int key = tokens == nullptr ? 0 : OpenEmptyList(lines);
  if (tokens == nullptr) {
    lines.InsertAfter(lines.count(), {"tokens:"});
    key = lines.count();
  }
  if (key == 0) return text;
  lines.InsertAfter(key, BlockItem(record, 2));
  return lines.Text();
}

std::string WithRevoked(const std::string& text, const Yaml& tokens, std::size_t index) {
  constexpr std::string_view kKey = "revoked:";
  Lines lines(text);
  const std::optional<Item> item = FindItem(lines, tokens, index);
  if (!item) return text;
  for (int number = item->first; number <= item->last; ++number) {
    std::string& line = lines.At(number);
    const std::size_t key = KeyColumn(line);
    if (key != item->keys || line.compare(key, kKey.size(), kKey) != 0) continue;
    const std::size_t begin = key + kKey.size();
    const std::size_t end = std::min({line.find(" #", begin), line.find_last_not_of("\r\n") + 1});
    const std::string value(Trim(std::string_view(line).substr(begin, end - begin)));
    const std::size_t after = value.empty() ? begin : line.find(value, begin) + value.size();
    line.replace(begin, after - begin, " true");
    return lines.Text();
  }
  lines.InsertAfter(item->last, {std::string(item->keys, ' ') + "revoked: true"});
  return lines.Text();
}

bool Same(const Yaml& a, const Yaml& b) {
  return a.kind == b.kind && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), Same) &&
         std::equal(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(),
                    [](const auto& one, const auto& other) {
                      return one.first == other.first && Same(one.second, other.second);
                    });
}

/// Whether the two documents differ at most in their tokens.
bool SameBesideTokens(Yaml a, Yaml b) {
  for (Yaml* root : {&a, &b})
    std::erase_if(root->keys, [](const auto& entry) { return entry.first == "tokens"; });
  return Same(a, b);
}

/// One edit of the file, under its lock.
class Edit {
 public:
  Result<> Open(const std::string& file) {
    char resolved[PATH_MAX];
    if (realpath(file.c_str(), resolved) == nullptr) {
      return Fail(SystemError(Cat("open ", Printable(file)), errno));
    }
    path_ = resolved;
    const Cancel wait = Cancel::Never().WithTimeout(
        kLockWait, Cat(Printable(path_), " is being changed by another program"));
    TRY_ASSIGN(lock_, LockDirectory(path_.substr(0, path_.rfind('/') + 1), wait));
    struct stat st {};
    if (stat(resolved, &st) != 0) return Fail(SystemError(Cat("open ", Printable(path_)), errno));
    rights_ = {st.st_mode & 07777, st.st_uid, st.st_gid};
    TRY_ASSIGN(text_, disk::ReadWholeFile(path_, kMaxSettings, Cancel::Never()));
    TRY_ASSIGN(settings_, ParseSettings(path_, text_));
    TRY_ASSIGN(root_, ParseYaml(text_));
    return {};
  }

  const std::string& text() const { return text_; }
  const Yaml& root() const { return root_; }
  const Settings& settings() const { return settings_; }

  /// Puts `text` in place when it means the same as before but for the tokens, which must be
  /// `tokens`. `by_hand` is what to do otherwise.
  Result<> Commit(const std::string& text,
                  const std::vector<TokenRecord>& tokens,
                  const std::string& by_hand) {
    const Result<Yaml> root = ParseYaml(text);
    const Result<Settings> settings = ParseSettings(path_, text);
    if (!root || !settings || settings->tokens != tokens || !SameBesideTokens(root_, *root)) {
      return Fail(
          Error(ErrorCode::kUnsupported, Cat(Printable(path_),
                                             ": the list `tokens` is not written one key a line, "
                                             "so it is left alone"))
              .WithHint(by_hand));
    }
    TRY_ASSIGN(const std::string now, disk::ReadWholeFile(path_, kMaxSettings, Cancel::Never()));
    if (now != text_) {
      return Fail(Error(ErrorCode::kUnavailable,
                        Cat(Printable(path_), " was changed by somebody else meanwhile"))
                      .WithHint("try again"));
    }
    return ReplaceFile(path_, text, rights_);
  }

 private:
  std::string path_;
  Fd lock_;
  FileRights rights_;
  std::string text_;
  Settings settings_;
  Yaml root_;
};

}  // namespace

Result<> AddTokenRecord(const std::string& file, const TokenRecord& record) {
  Edit edit;
  TRY(edit.Open(file));
  const Settings& settings = edit.settings();
  for (const TokenRecord& other : settings.tokens) {
    if (other.id == record.id) {
      return Fail(ErrorCode::kExists, Cat("there is a token ", Printable(record.id), " already"));
    }
  }
  const bool known = record.user.empty() ? settings.FindProject(record.project) != nullptr
                                         : settings.FindUser(record.user) != nullptr;
  if (!known) {
    return Fail(Error(ErrorCode::kNotFound,
                      record.user.empty() ? Cat("there is no project ", Printable(record.project))
                                          : Cat("there is no user ", Printable(record.user)))
                    .WithHint(Cat("add it to ", Printable(file), " first")));
  }
  std::vector<TokenRecord> wanted = settings.tokens;
  wanted.push_back(record);
  return edit.Commit(WithRecord(edit.text(), edit.root(), record), wanted,
                     Cat("add this to the list: {", Join(RecordFields(record), ", "), '}'));
}

Result<> RevokeTokenRecord(const std::string& file, const std::string& id) {
  Edit edit;
  TRY(edit.Open(file));
  std::vector<TokenRecord> wanted = edit.settings().tokens;
  const auto record = std::find_if(wanted.begin(), wanted.end(),
                                   [&](const TokenRecord& token) { return token.id == id; });
  if (record == wanted.end()) {
    return Fail(ErrorCode::kNotFound, Cat("there is no token ", Printable(id)));
  }
  if (record->revoked) return {};
  record->revoked = true;
  const auto index = static_cast<std::size_t>(record - wanted.begin());
  return edit.Commit(WithRevoked(edit.text(), *edit.root().Find("tokens"), index), wanted,
                     Cat("write `revoked: true` into the token ", id, " by hand"));
}

}  // namespace depot::settings
