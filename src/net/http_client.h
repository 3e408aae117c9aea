#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_message.h"
#include "net/sse.h"

namespace feilun::net {

struct HttpClientOptions {
  std::string base_url = "http://127.0.0.1:8080";  ///< http only; a path in it is put before every target
  Headers headers;                                 ///< sent with every request (authorization …)
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds reply_timeout{600'000};  ///< without a byte arriving
  size_t body_bytes_max = 64 * 1024 * 1024;
};

/// A small blocking HTTP client: one connection a call. Any number of threads may call at once.
class HttpClient {
 public:
  /// kInvalidArgument when the base URL is not http://host[:port][/path].
  static Result<HttpClient> create(HttpClientOptions options);

  /// kUnavailable when nobody answers; a reply of any status is a Response.
  Result<Response> get(std::string_view target) const;
  Result<Response> post(std::string_view target, std::string body) const;
  /// As post, but when the reply is a stream of server-sent events each is handed to `on_event` as it
  /// arrives; returning false hangs up. The Response's body is then empty.
  Result<Response> post_stream(std::string_view target, std::string body,
                               const std::function<bool(const SseEvent&)>& on_event) const;

 private:
  Result<Response> call(std::string_view method, std::string_view target, std::string body,
                        const std::function<bool(const SseEvent&)>* on_event) const;
  HttpClientOptions options_;
  std::string host_;
  std::string port_;
  std::string path_;
};

}  // namespace feilun::net
