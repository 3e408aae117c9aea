#pragma once

#include <algorithm>
#include <vector>

#include "jinja/token.h"

namespace feilun::jinja {

/// The parser's place among the tokens. The last token is kEnd and is never passed.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_name(std::string_view name) { return current().is_name(name) && (next(), true); }
  bool skip_operator(std::string_view op) { return current().is_operator(op) && (next(), true); }

  Result<Token> expect(TokenType type, std::string_view what) {
    if (current().type != type) return unexpected(what);
    return next();
  }
  Result<void> expect_operator(std::string_view op) {
    if (!skip_operator(op)) return unexpected(fmt::format("'{}'", op));
    return {};
  }
  Result<void> expect_name(std::string_view name) {
    if (!skip_name(name)) return unexpected(fmt::format("'{}'", name));
    return {};
  }
  std::unexpected<Error> unexpected(std::string_view expected) const {
    return fail_at(current().at, "expected {}, found {}", expected, describe(current()));
  }

  /// The place of the current token, for mentions().
  size_t mark() const { return at_; }
  bool mentions(std::string_view name, size_t since) const {
    for (size_t i = since; i < at_; ++i) {
      if (tokens_[i].is_name(name)) return true;
    }
    return false;
  }

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace feilun::jinja
