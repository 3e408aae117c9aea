#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>

namespace feilun {

/// What kind of failure an Error is. gateway/error_reply.cc maps each to an HTTP status, apps to an exit
/// code.
enum class ErrorCode {
  kInvalidArgument,   ///< the caller's input is wrong; says what to change
  kUnauthorized,      ///< no key, or a wrong one
  kPermissionDenied,  ///< a right key that may not do this
  kNotFound,
  kConflict,  ///< already exists, or in progress
  kContextLengthExceeded,
  kInsufficientQuota,  ///< the balance does not pay for it
  kRateLimited,
  kOverloaded,   ///< try again later
  kUnavailable,  ///< a part that is needed is away
  kUnsupported,  ///< known, but not offered
  kCorrupt,      ///< a file or a chain is not what it says it is
  kIo,
  kCancelled,
  kInternal,
};

/// An expected failure. `message` is one clear sentence for the person who caused it; `param` names the
/// field or flag at fault, when there is one ("messages[2].content"). `retry_after_s`: seconds after which
/// the same request is expected to succeed, when that is known; 0 when it is not.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string param = {};
  int retry_after_s = 0;
};

template <typename T = void>
using Result = std::expected<T, Error>;

/// return fail(ErrorCode::kNotFound, "no model named {}", name);
template <typename... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace feilun

/// `auto x = TRY(expression);` is the value of a Result, or returns its Error from the enclosing function.
#define TRY(...) FEILUN_TRY_AS(FEILUN_TRY_NAME(__COUNTER__), __VA_ARGS__)
// One TRY may stand in another, so each result has a name of its own.
#define FEILUN_TRY_NAME(number) FEILUN_TRY_JOIN(try_result_, number)
#define FEILUN_TRY_JOIN(name, number) name##number
#define FEILUN_TRY_AS(result, ...)                                  \
  ({                                                                \
    auto&& result = (__VA_ARGS__);                                  \
    if (!result) return std::unexpected(std::move(result).error()); \
    std::move(result).value();                                      \
  })
