// Which failures a client may try again is a promise about money: "true" only where nothing was charged and
// waiting can help, "false" where the same request cannot succeed or may have been charged already.
#include "gateway/error_reply.h"

#include <algorithm>
#include <boost/json.hpp>

#include "gateway/json_text.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
constexpr const char* kBadRequest = "invalid_request_error";

constexpr std::string_view kKeyParam = "idempotency-key";

json::object error_json(const ErrorLook& look, std::string_view message, std::string_view param) {
  json::object error;
  error["message"] = valid_utf8(message);
  error["type"] = look.type;
  error["param"] = param.empty() ? json::value(nullptr) : json::value(valid_utf8(param));
  error["code"] = look.code == nullptr ? json::value(nullptr) : json::value(look.code);
  return error;
}

std::string body_of(json::object error) {
  return json::serialize(json::object{{"error", std::move(error)}});
}

std::string body_of(const ErrorLook& look, std::string_view message, std::string_view param) {
  return body_of(error_json(look, message, param));
}

net::Response reply_of(const ErrorLook& look, std::string body) {
  net::Response response{.status = look.status};
  response.headers.add("content-type", "application/json");
  if (look.should_retry != nullptr) response.headers.add("x-should-retry", look.should_retry);
  if (look.retry_after_s >= 0) response.headers.add("retry-after", std::to_string(look.retry_after_s));
  if (look.status == 401) response.headers.add("www-authenticate", "Bearer");
  response.body = std::move(body);
  return response;
}

/// Clients that try again by themselves wait no longer than a minute.
constexpr int kPatience = 60;

int known_wait(const Error& error) {
  return error.retry_after_s > 0 ? error.retry_after_s : -1;
}

}  // namespace

ErrorLook error_look(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return {400, kBadRequest, nullptr, -1, "false"};
    case ErrorCode::kUnauthorized:
      return {401, kBadRequest, "invalid_api_key", -1, "false"};
    case ErrorCode::kPermissionDenied:
      return {403, kBadRequest, "permission_denied", -1, "false"};
    case ErrorCode::kNotFound:
      return {404, kBadRequest, error.param == "model" ? "model_not_found" : "not_found", -1, "false"};
    case ErrorCode::kConflict:
      if (error.param == kKeyParam) return {409, kBadRequest, "idempotency_key_in_use", 1, "true"};
      return {409, kBadRequest, "conflict", -1, "false"};
    case ErrorCode::kContextLengthExceeded:
      return {400, kBadRequest, "context_length_exceeded", -1, "false"};
    case ErrorCode::kInsufficientQuota:
      return {429, "insufficient_quota", "insufficient_quota", known_wait(error), "false"};
    case ErrorCode::kRateLimited:
      return {429, "rate_limit_error", "rate_limit_exceeded", std::max(1, error.retry_after_s),
              error.retry_after_s > kPatience ? "false" : "true"};
    case ErrorCode::kOverloaded:
      return {503, "server_error", "overloaded", std::max(1, error.retry_after_s), "true"};
    case ErrorCode::kUnavailable:
      return {503, "server_error", "unavailable", 5, "true"};
    case ErrorCode::kCancelled:
      return {503, "server_error", "cancelled", 5, nullptr};
    case ErrorCode::kUnsupported:
      return {400, kBadRequest, "unsupported", -1, "false"};
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return {500, "server_error", "internal_error", -1, "false"};
  }
  return {};
}

std::string error_body(const Error& error) {
  return body_of(error_look(error), error.message, error.param);
}

net::Response error_reply(const Error& error, bool final) {
  ErrorLook look = error_look(error);
  if (final) {
    look.should_retry = "false";
    look.retry_after_s = -1;
  }
  return reply_of(look, error_body(error));
}

net::Response reused_key_reply() {
  const ErrorLook look{422, kBadRequest, "idempotency_key_reused", -1, "false"};
  return reply_of(look, body_of(look, "the idempotency key was used for another request", kKeyParam));
}

net::Response used_key_reply(const std::string& request_id) {
  const ErrorLook look{409, kBadRequest, "idempotency_key_used", -1, "false"};
  json::object error = error_json(
      look, "the request with this idempotency key was charged, and its reply is not kept", kKeyParam);
  error["request_id"] = request_id;
  net::Response response = reply_of(look, body_of(std::move(error)));
  response.headers.add("feilun-request-id", request_id);
  return response;
}

net::Response protocol_error_reply(int status, std::string_view message) {
  ErrorLook look{.status = status, .type = kBadRequest, .should_retry = "false"};
  if (status == 413) look.code = "request_too_large";
  if (status == 405) look.code = "method_not_allowed";
  if (status >= 500) look.type = "server_error";
  return reply_of(look, body_of(look, message, {}));
}

}  // namespace feilun::gateway
