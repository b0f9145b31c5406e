#include <algorithm>
#include <cstring>
#include <mutex>

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/http/client.h"
#include "driver/http/curl_failure.h"
#include "driver/http/curl_headers.h"
#include "driver/http/url.h"

namespace depot::http {
namespace {

constexpr std::size_t kMaxHeaders = 256 << 10;
constexpr std::size_t kMaxIdle = 8;
constexpr long kUploadBuffer = 512 << 10;

struct MultiDeleter {
  void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
};
struct EasyDeleter {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};

/// One request at a time. The connections live in `multi`, so a slot that served a host before is
/// the best one to serve it again.
struct Slot {
  std::unique_ptr<CURLM, MultiDeleter> multi{::curl_multi_init()};
  std::unique_ptr<CURL, EasyDeleter> easy{::curl_easy_init()};
  std::string origin;
};

std::string PeerOf(const Request& request) {
  if (!request.peer.empty()) return request.peer;
  if (!request.transport.unix_socket.empty()) {
    return Cat("unix://", Printable(request.transport.unix_socket));
  }
  return OriginOf(request.url);
}

/// What libcurl's callbacks work on. Lives on the stack of Send().
class Transfer {
 public:
  Transfer(CURL* easy, const Request& request, std::string peer)
      : easy_(easy), request_(request), peer_(std::move(peer)) {}

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    Moving moving(self);
    return moving.transfer.TakeHeader({data, size * count}) ? size * count : 0;
  }
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    Moving moving(self);
    return moving.transfer.TakeBody({data, size * count}) ? size * count : 0;
  }
  static std::size_t OnSend(char* into, std::size_t size, std::size_t count, void* self) {
    Moving moving(self);
    return moving.transfer.GiveBody(into, size * count);
  }

  static int OnConnected(void* self, char*, char*, int, int) {
    static_cast<Transfer*>(self)->request_.on_connected();
    return CURL_PREREQFUNC_OK;
  }

  static int OnSocket(void* self, curl_socket_t socket, curlsocktype /*purpose*/) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->sockets_.push_back({socket, POLLIN, 0});
    // A link that goes silent while we write must end by itself. A unix socket ignores this. Linux
    // counts the time in which a living peer does not read, too, and one that syncs a large layer
    // to a slow disk does not for minutes.
    unsigned int timeout_ms = transfer->request_.body_source ? 300'000 : 30'000;
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    return CURL_SOCKOPT_OK;
  }

  /// libcurl reads the socket before it asks again for what was held back.
  void Unpause() {
    if (!std::exchange(paused_, false)) return;
    ::curl_easy_pause(easy_, CURLPAUSE_CONT);
  }
  bool paused() const { return paused_; }

  /// Until when something must have moved; nullopt = it need not.
  std::optional<Cancel::Clock::time_point> silent_until() const {
    if (request_.silence.count() == 0) return std::nullopt;
    return moved_ + request_.silence;
  }
  Error SilenceError() const {
    auto seconds = std::chrono::ceil<std::chrono::seconds>(request_.silence).count();
    return {ErrorCode::kTimeout, Cat(peer_, " did nothing for ", seconds, " s")};
  }

  std::optional<Error>& failure() { return failure_; }
  Response& response() { return response_; }
  bool answer_begun() const { return header_bytes_ > 0; }

 private:
  /// Something moves: the silence begins when that is dealt with.
  struct Moving {
    explicit Moving(void* self) : transfer(*static_cast<Transfer*>(self)) {}
    Moving(const Moving&) = delete;
    Moving& operator=(const Moving&) = delete;
    ~Moving() { transfer.moved_ = Cancel::Clock::now(); }
    Transfer& transfer;
  };

  bool TakeHeader(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMaxHeaders) return Refuse("sent more than 256 KiB of headers");
    if (line.starts_with("HTTP/")) TakeStatus(line);
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return true;
    response_.headers.emplace_back(LowerAscii(Trim(line.substr(0, colon))),
                                   Trim(line.substr(colon + 1)));
    return true;
  }

  void TakeStatus(std::string_view line) {
    response_.headers.clear();
    constexpr std::size_t kDigits = 3;
    const std::string_view code =
        line.substr(std::min(line.size(), line.find(' '))).substr(0, 1 + kDigits);
    const auto status = ParseDecimal(Trim(code));
    if (status && request_.on_status) request_.on_status(static_cast<int>(*status));
  }

  bool TakeBody(std::string_view data) {
    if (request_.body_sink) {
      Result<> taken = request_.body_sink(data);
      if (!taken) failure_ = taken.error();
      return taken.has_value();
    }
    if (response_.body.size() + data.size() > request_.max_body) {
      return Refuse(Cat("sent more than the ", request_.max_body, " bytes expected"));
    }
    response_.body.append(data);
    return true;
  }

  std::size_t GiveBody(char* into, std::size_t capacity) {
    if (!held_.empty()) {
      std::size_t count = std::min(capacity, held_.size());
      std::memcpy(into, held_.data(), count);
      held_.erase(0, count);
      return count;
    }
    Result<std::size_t> got = request_.body_source(into, capacity);
    if (!got) {
      failure_ = got.error();
      return CURL_READFUNC_ABORT;
    }
    // The source may have blocked for long. If the peer has answered meanwhile, that answer must be
    // read before a failing write hides it.
    if (*got == 0 || !PeerHasSpoken()) return *got;
    held_.assign(into, *got);
    paused_ = true;
    return CURL_READFUNC_PAUSE;
  }

  /// Looks at all sockets that were opened for this request, since libcurl does not tell which of
  /// them won; a stray yes only costs a copy.
  bool PeerHasSpoken() {
    ::poll(sockets_.data(), sockets_.size(), 0);
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [](const pollfd& fd) { return (fd.revents & POLLIN) != 0; });
  }

  bool Refuse(std::string_view why) {
    failure_ = Error(ErrorCode::kInvalid, Cat(peer_, ' ', why));
    return false;
  }

  CURL* easy_;
  const Request& request_;
  std::string peer_;
  Response response_;
  std::optional<Error> failure_;
  std::size_t header_bytes_ = 0;
  Cancel::Clock::time_point moved_ = Cancel::Clock::now();
  std::vector<pollfd> sockets_;
  std::string held_;
  bool paused_ = false;
};

void SetBody(CURL* easy, const Request& request, Transfer& transfer) {
  if (request.body_source) {
    ::curl_easy_setopt(easy, CURLOPT_POST, 1L);
    ::curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::OnSend);
    ::curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    ::curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
    // A stream cannot be sent a second time when a kept connection turns out to be dead.
    ::curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    ::curl_easy_setopt(easy, CURLOPT_POST, 1L);
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.Reveal().data());
  } else if (request.method == "HEAD") {
    ::curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    ::curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

curl_blob BlobOf(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
}

const char* OrNull(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

void SetRoots(CURL* easy, const Transport& transport, const SystemRoots& roots) {
  // Both must be set: libcurl has places of its own built in, and a private authority replaces
  // them.
  bool private_authority = !transport.ca_pem.empty();
  if (private_authority) {
    curl_blob ca = BlobOf(transport.ca_pem);
    ::curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
  }
  ::curl_easy_setopt(easy, CURLOPT_CAINFO, private_authority ? nullptr : OrNull(roots.file));
  ::curl_easy_setopt(easy, CURLOPT_CAPATH, private_authority ? nullptr : OrNull(roots.directory));
}

void SetTransport(CURL* easy, const Transport& transport, const SystemRoots& roots) {
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, transport.verify ? 1L : 0L);
  ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, transport.verify ? 2L : 0L);
  SetRoots(easy, transport, roots);
  if (!transport.certificate_pem.empty()) {
    curl_blob certificate = BlobOf(transport.certificate_pem);
    ::curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
    curl_blob key = BlobOf(transport.key_pem.Reveal());
    ::curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
    // Without a passphrase OpenSSL would ask the terminal for one.
    ::curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");
  }
  if (!transport.unix_socket.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, transport.unix_socket.c_str());
  } else {
    ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  }
  if (!transport.use_proxy || !transport.unix_socket.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_PROXY, "");
  } else {
    ::curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, OrNull(roots.file));
    ::curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, OrNull(roots.directory));
  }
}

/// Puts an easy handle into its multi handle for as long as a request lasts, and leaves it clean.
class Attachment {
 public:
  explicit Attachment(Slot& slot) : slot_(slot) {
    ::curl_multi_add_handle(slot_.multi.get(), slot_.easy.get());
  }
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment() { ::curl_multi_remove_handle(slot_.multi.get(), slot_.easy.get()); }

 private:
  Slot& slot_;
};

int PollTimeout(const Cancel& cancel, const Transfer& transfer) {
  std::chrono::milliseconds left(60'000);
  for (auto end : {cancel.deadline(), transfer.silent_until()}) {
    if (!end) continue;
    auto until = std::chrono::ceil<std::chrono::milliseconds>(*end - Cancel::Clock::now());
    left = std::clamp(until, std::chrono::milliseconds(0), left);
  }
  return static_cast<int>(left.count());
}

/// Drives the transfer to its end; the CURLcode it ended with, or the error of `cancel`.
Result<int> Drive(Slot& slot, Transfer& transfer, const Cancel& cancel) {
  CURLM* multi = slot.multi.get();
  int running = 1;
  while (true) {
    TRY(cancel.Check());
    if (::curl_multi_perform(multi, &running) != CURLM_OK) break;
    if (running == 0) break;
    if (transfer.paused()) {
      transfer.Unpause();
      continue;
    }
    auto end = transfer.silent_until();
    if (end && Cancel::Clock::now() >= *end) return Fail(transfer.SilenceError());
    curl_waitfd wake{cancel.wake_fd(), CURL_WAIT_POLLIN, 0};
    unsigned int extra = cancel.wake_fd() >= 0 ? 1 : 0;
    if (::curl_multi_poll(multi, &wake, extra, PollTimeout(cancel, transfer), nullptr) != CURLM_OK)
      break;
  }
  int left = 0;
  while (CURLMsg* message = ::curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) return static_cast<int>(message->data.result);
  }
  return Fail(ErrorCode::kInternal, "libcurl gave up a transfer without a reason");
}

class CurlClient final : public HttpClient {
 public:
  CurlClient(std::string user_agent, std::chrono::seconds connect_timeout, SystemRoots system_roots)
      : user_agent_(std::move(user_agent)),
        connect_timeout_(connect_timeout),
        system_roots_(std::move(system_roots)) {}

  Result<Response> Send(const Request& request, const Cancel& cancel) override {
    TRY(cancel.Check());
    TRY_ASSIGN(HeaderList headers, MakeHeaders(request));
    std::string origin = Cat(OriginOf(request.url), ' ', request.transport.unix_socket);
    TRY_ASSIGN(std::unique_ptr<Slot> slot, TakeSlot(origin));
    Transfer transfer(slot->easy.get(), request, PeerOf(request));
    char error_text[CURL_ERROR_SIZE] = "";
    Prepare(slot->easy.get(), request, transfer);
    ::curl_easy_setopt(slot->easy.get(), CURLOPT_HTTPHEADER, headers.get());
    ::curl_easy_setopt(slot->easy.get(), CURLOPT_ERRORBUFFER, error_text);
    Result<Response> result = [&]() -> Result<Response> {
      Attachment attachment(*slot);
      TRY_ASSIGN(int code, Drive(*slot, transfer, cancel));
      return Conclude(*slot, request, transfer, code, error_text);
    }();
    // Forgets pointers into this call, and every secret.
    ::curl_easy_reset(slot->easy.get());
    if (result) {
      KeepSlot(std::move(slot));
    } else {
      // What cut this connection, a gateway that restarts or a name that moves, cut the others.
      ForgetSlots(origin);
    }
    return result;
  }

 private:
  void Prepare(CURL* easy, const Request& request, Transfer& transfer) {
    ::curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    // A stream in HTTP/1.1 can be answered early and still be understood, and most of our few
    // requests gain nothing from HTTP/2.
    ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                       request.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
    if (request.on_connected) {
      ::curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Transfer::OnConnected);
      ::curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
    }
    ::curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    ::curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent_.c_str());
    ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(connect_timeout_.count()));
    ::curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    ::curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &Transfer::OnSocket);
    ::curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, &transfer);
    SetBody(easy, request, transfer);
    SetTransport(easy, request.transport, system_roots_);
  }

  Result<Response> Conclude(
      Slot& slot, const Request& request, Transfer& transfer, int code, const char* error_text) {
    if (transfer.failure()) return Fail(*transfer.failure());
    long status = 0;
    ::curl_easy_getinfo(slot.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    transfer.response().status = static_cast<int>(status);
    // A peer that refuses a stream may close before we have stopped sending.
    bool refused_early = code == CURLE_SEND_ERROR && status >= 400;
    if (code == CURLE_OK || refused_early) return std::move(transfer.response());

    long os_error = 0;
    ::curl_easy_getinfo(slot.easy.get(), CURLINFO_OS_ERRNO, &os_error);
    bool connecting = code == CURLE_COULDNT_CONNECT;
    CurlFailure failure;
    failure.code = code;
    failure.os_error = connecting ? static_cast<int>(os_error) : 0;
    failure.text =
        *error_text != '\0' ? error_text : ::curl_easy_strerror(static_cast<CURLcode>(code));
    failure.peer = PeerOf(request);
    failure.connect_seconds = static_cast<long>(connect_timeout_.count());
    if (request.transport.ca_pem.empty()) failure.roots_hint = RootsHint(system_roots_);
    failure.encrypted = LowerAscii(request.url.substr(0, 6)) == "https:";
    failure.answer_begun = transfer.answer_begun();
    return Fail(TranslateCurlFailure(failure));
  }

  Result<std::unique_ptr<Slot>> TakeSlot(const std::string& origin) {
    static std::once_flag once;
    std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
    {
      std::lock_guard lock(mutex_);
      auto same = [&](const std::unique_ptr<Slot>& slot) { return slot->origin == origin; };
      auto found = std::find_if(idle_.begin(), idle_.end(), same);
      if (found != idle_.end()) {
        std::unique_ptr<Slot> slot = std::move(*found);
        idle_.erase(found);
        return slot;
      }
    }
    auto slot = std::make_unique<Slot>();
    if (!slot->multi || !slot->easy) return Fail(ErrorCode::kInternal, "cannot set up libcurl");
    slot->origin = origin;
    return slot;
  }

  void KeepSlot(std::unique_ptr<Slot> slot) {
    std::unique_ptr<Slot> oldest;  // closed after the lock is given back
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(slot));
    if (idle_.size() <= kMaxIdle) return;
    oldest = std::move(idle_.front());
    idle_.erase(idle_.begin());
  }

  void ForgetSlots(const std::string& origin) {
    std::vector<std::unique_ptr<Slot>> dead;  // closed after the lock is given back
    std::lock_guard lock(mutex_);
    auto other = [&](const std::unique_ptr<Slot>& slot) { return slot->origin != origin; };
    auto same = std::stable_partition(idle_.begin(), idle_.end(), other);
    std::move(same, idle_.end(), std::back_inserter(dead));
    idle_.erase(same, idle_.end());
  }

  std::string user_agent_;
  std::chrono::seconds connect_timeout_;
  SystemRoots system_roots_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slot>> idle_;
};

}  // namespace

std::unique_ptr<HttpClient> MakeCurlClient(std::string user_agent,
                                           std::chrono::seconds connect_timeout,
                                           SystemRoots system_roots) {
  return std::make_unique<CurlClient>(std::move(user_agent), connect_timeout,
                                      std::move(system_roots));
}

}  // namespace depot::http
