#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace feilun::jinja {

/// Where something stands in the template, counted from 1; columns count characters.
struct Position {
  uint32_t line = 1;
  uint32_t column = 1;
};

/// "line 3, column 14: MESSAGE", as every error of this folder reads.
template <typename... Args>
std::unexpected<Error> fail_at(Position at, fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::kInvalidArgument, "line {}, column {}: {}", at.line, at.column,
              fmt::format(format, std::forward<Args>(args)...));
}

enum class TokenType : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type = TokenType::kEnd;
  std::string text = {};  ///< data, name, operator; of a string its value, of a number its digits
  Position at = {};

  bool is_name(std::string_view name) const { return type == TokenType::kName && text == name; }
  bool is_operator(std::string_view op) const { return type == TokenType::kOperator && text == op; }
};

/// What the token looks like, for error messages.
std::string describe(const Token& token);

}  // namespace feilun::jinja
