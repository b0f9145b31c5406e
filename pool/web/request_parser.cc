#include "pool/web/request_parser.h"

#include <algorithm>
#include <limits>

#include <boost/beast/http/basic_parser.hpp>

#include "driver/base/text.h"

namespace depot::web {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string Text(string_view view) {
  return std::string(view.data(), view.size());
}

/// Beast's parser, which calls back for every part of the message it has understood.
class Parts final : public http::basic_parser<true> {
 public:
  Request request;
  std::string* body = nullptr;  // not owned; where body bytes go now
  int version = 0;              // 10 or 11
  int hosts = 0;
  int transfer_encodings = 0;
  bool head_done = false;

 private:
  void on_request_impl(
      http::verb, string_view method, string_view target, int number, error_code&) override {
    version = number;
    request.method = Text(method);
    request.path = PathOf(Text(target));
  }

  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (head_done) return;  // a trailer: nobody here wants one
    std::string key = LowerAscii(Text(name));
    hosts += key == "host" ? 1 : 0;
    transfer_encodings += key == "transfer-encoding" ? 1 : 0;
    request.headers.emplace_back(std::move(key), Text(value));
  }

  std::size_t on_body_impl(string_view piece, error_code&) override {
    body->append(piece.data(), piece.size());
    return piece.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) override {
    body->append(piece.data(), piece.size());
    return piece.size();
  }

  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override { head_done = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  /// Without the query; a proxy's absolute form loses scheme and host (RFC 9112 3.2.2).
  static std::string PathOf(std::string target) {
    target.resize(std::min(target.find('?'), target.size()));
    std::size_t scheme = target.find("://");
    if (target.starts_with('/') || scheme == std::string::npos) return target;
    std::size_t path = target.find('/', scheme + 3);
    return path == std::string::npos ? "/" : target.substr(path);
  }
};

class BeastRequestParser final : public RequestParser {
 public:
  explicit BeastRequestParser(std::size_t header_bytes) : header_bytes_(header_bytes) {
    parts_.header_limit(static_cast<std::uint32_t>(
        std::min<std::size_t>(header_bytes, std::numeric_limits<std::uint32_t>::max())));
    parts_.body_limit(boost::none);  // it depends on who reads the body
  }

  Progress ReadHead(std::string& in) override {
    std::size_t before = in.size();
    Progress progress = Put(in);
    head_taken_ += before - in.size();
    // Beast's own limit does not count what it took in earlier calls.
    std::size_t so_far = head_taken_ + (progress == Progress::kMore ? in.size() : 0);
    if (progress != Progress::kBad && so_far > header_bytes_) return Progress::kTooBig;
    return progress == Progress::kDone ? CheckHead() : progress;
  }

  Progress ReadBody(std::string& in, std::string& body) override {
    if (parts_.is_done()) return Progress::kDone;
    parts_.eager(true);
    parts_.body = &body;
    Progress progress = Put(in);
    if (progress == Progress::kDone && !parts_.is_done()) progress = Progress::kMore;
    // What is left while more is needed is an unfinished chunk line or trailer.
    if (progress == Progress::kMore && in.size() > header_bytes_) {
      return Bad("a chunk's first line or the trailer is too long");
    }
    return progress;
  }

  const std::string& reason() const override { return reason_; }
  const Request& head() const override { return parts_.request; }
  bool keep_alive() const override { return parts_.keep_alive(); }
  bool old() const override { return parts_.version < 11; }
  bool complete() const override { return parts_.is_done(); }

  bool expects_continue() const override {
    return !old() && LowerAscii(parts_.request.Header("expect")) == "100-continue";
  }

  std::optional<std::uint64_t> content_length() const override {
    boost::optional<std::uint64_t> length = parts_.content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }

 private:
  /// kDone: there was nothing wrong with what was taken.
  Progress Put(std::string& in) {
    if (in.empty()) return Progress::kMore;
    error_code error;
    std::size_t taken = parts_.put(boost::asio::const_buffer(in.data(), in.size()), error);
    in.erase(0, taken);
    if (error == http::error::need_more) return Progress::kMore;
    if (error == http::error::header_limit) return Progress::kTooBig;
    return error ? Bad(error.message()) : Progress::kDone;
  }

  Progress Bad(std::string reason) {
    reason_ = std::move(reason);
    return Progress::kBad;
  }

  /// What RFC 9112 3.2 and 6.1 demand and Beast lets pass.
  Progress CheckHead() {
    if (parts_.hosts > 1 || (parts_.hosts == 0 && !old())) return Bad("not exactly one Host");
    if (parts_.transfer_encodings == 0) return Progress::kDone;
    bool chunked = LowerAscii(parts_.request.Header("transfer-encoding")) == "chunked";
    if (old() || !chunked || parts_.transfer_encodings > 1 || parts_.content_length()) {
      return Bad("a transfer coding other than chunked");
    }
    return Progress::kDone;
  }

  std::size_t header_bytes_;
  std::size_t head_taken_ = 0;
  std::string reason_;
  Parts parts_;
};

}  // namespace

std::unique_ptr<RequestParser> MakeRequestParser(std::size_t header_bytes) {
  return std::make_unique<BeastRequestParser>(header_bytes);
}

}  // namespace depot::web
