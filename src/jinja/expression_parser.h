#pragma once

#include <initializer_list>

#include "jinja/ast.h"
#include "jinja/token_stream.h"

namespace feilun::jinja {

/// Parses expressions by recursive descent, a function for each level of precedence, weakest first:
/// `a if b else c`, or, and, not, comparisons, + -, ~, * / // %, **, signs, then . [] () | is.
/// Note that `~` binds tighter than `+`, and filters and tests tighter than any operator.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  Result<ExpressionPtr> parse(bool conditional = true);
  /// One expression, or a tuple when commas follow.
  Result<ExpressionPtr> parse_tuple(bool conditional = true);
  Result<CallArguments> parse_arguments(int& depth);
  /// `name` or `name(arguments)` after a '|'.
  Result<std::pair<std::string, CallArguments>> parse_filter_name(int& depth);

  /// Counts open recursions of the whole parser; an error when there are too many.
  Result<void> enter();
  void leave() { --nesting_; }

 private:
  using Level = Result<ExpressionPtr> (ExpressionParser::*)();

  Result<ExpressionPtr> parse_conditional();
  Result<ExpressionPtr> parse_or();
  Result<ExpressionPtr> parse_and();
  Result<ExpressionPtr> parse_not();
  Result<ExpressionPtr> parse_comparison();
  Result<ExpressionPtr> parse_sum();
  Result<ExpressionPtr> parse_concatenation();
  Result<ExpressionPtr> parse_product();
  Result<ExpressionPtr> parse_power();
  Result<ExpressionPtr> parse_unary(bool with_filters);
  Result<ExpressionPtr> parse_unary_with_filters() { return parse_unary(true); }
  Result<ExpressionPtr> parse_primary();
  Result<ExpressionPtr> parse_name();
  Result<ExpressionPtr> parse_string();
  Result<ExpressionPtr> parse_number();
  Result<ExpressionPtr> parse_list();
  Result<ExpressionPtr> parse_dict();
  Result<ExpressionPtr> parse_postfix(ExpressionPtr expression);
  Result<ExpressionPtr> parse_filters(ExpressionPtr expression);
  Result<ExpressionPtr> parse_test(ExpressionPtr subject);
  Result<ExpressionPtr> parse_dot(ExpressionPtr object);
  Result<ExpressionPtr> parse_subscript(ExpressionPtr object);
  Result<ExpressionPtr> parse_call(ExpressionPtr callee);
  Result<ExpressionPtr> parse_operators(
      Level operand, std::initializer_list<std::pair<std::string_view, BinaryOperator>> operators);
  Result<ExpressionPtr> parse_logical(Level operand, std::string_view word);

  TokenStream& tokens_;
  int nesting_ = 0;
};

}  // namespace feilun::jinja
