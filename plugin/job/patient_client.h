#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "driver/event/sink.h"
#include "driver/http/client.h"

namespace depot::job {

/// An HTTP client that says who is waited for when a registry, the Engine or the API is silent for
/// 5 s. A streaming request, which nobody else bounds, ends after `longest` without a byte in
/// either direction: an Engine that unpacks a large layer may say nothing for minutes. Any thread.
class PatientClient final : public http::HttpClient {
 public:
  explicit PatientClient(std::unique_ptr<http::HttpClient> client,
                         Cancel::Clock::duration longest = std::chrono::minutes(10))
      : client_(std::move(client)), longest_(longest) {}

  /// From now on to `sink`; null, as at the beginning, is silence. Call it while no request runs.
  void SayTo(EventSink* sink) { sink_ = sink; }

  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) override;

 private:
  std::unique_ptr<http::HttpClient> client_;
  const Cancel::Clock::duration longest_;
  std::atomic<EventSink*> sink_{nullptr};
};

}  // namespace depot::job
