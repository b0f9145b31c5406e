#pragma once

#include <string>

#include "driver/base/error.h"

namespace depot::http {

/// What libcurl said about a transfer that failed, free of libcurl's types.
struct CurlFailure {
  int code = 0;               ///< a CURLcode
  int os_error = 0;           ///< errno of a failed connect; 0 = none
  std::string text;           ///< the error buffer, else curl_easy_strerror()
  std::string peer;           ///< what to call the other end
  long connect_seconds = 0;   ///< the bound on connecting
  std::string roots_hint;     ///< which authorities are trusted; empty = one given for this server
  bool encrypted = false;     ///< an https URL
  bool answer_begun = false;  ///< bytes of a response had come
};

/// Translates libcurl's vocabulary into ours; the only place that does.
Error TranslateCurlFailure(const CurlFailure& failure);

}  // namespace depot::http
