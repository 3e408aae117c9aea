#include "jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace feilun::jinja {
namespace {

constexpr int kNestingMax = 100;

int depth_of(const ExpressionPtr& expression) {
  return expression == nullptr ? 0 : expression->depth;
}

template <typename... Pointers>
int deepest(const Pointers&... pointers) {
  return std::max({0, depth_of(pointers)...});
}

// A node above children of the given depth.
template <typename Node>
Result<ExpressionPtr> make(Position at, int children, Node node) {
  if (children >= kTreeDepthMax) return fail_at(at, "the expression nests too deeply");
  return std::make_unique<Expression>(at, children + 1, std::move(node));
}

std::optional<Comparator> comparator(std::string_view op) {
  if (op == "==") return Comparator::kEqual;
  if (op == "!=") return Comparator::kNotEqual;
  if (op == "<") return Comparator::kLess;
  if (op == "<=") return Comparator::kLessEqual;
  if (op == ">") return Comparator::kGreater;
  if (op == ">=") return Comparator::kGreaterEqual;
  return std::nullopt;
}

}  // namespace

Result<void> ExpressionParser::enter() {
  if (nesting_ >= kNestingMax) return fail_at(tokens_.current().at, "the template nests too deeply");
  ++nesting_;
  return {};
}

Result<ExpressionPtr> ExpressionParser::parse(bool conditional) {
  TRY(enter());
  auto expression = conditional ? parse_conditional() : parse_or();
  leave();
  return expression;
}

Result<ExpressionPtr> ExpressionParser::parse_tuple(bool conditional) {
  const auto ends = [&] {
    const Token& token = tokens_.current();
    return token.type == TokenType::kVariableEnd || token.type == TokenType::kBlockEnd ||
           token.is_operator(")") || token.is_name("recursive");
  };
  const Position at = tokens_.current().at;
  ExpressionPtr first = TRY(parse(conditional));
  if (!tokens_.current().is_operator(",")) return first;
  ListLiteral tuple{.tuple = true};
  int depth = depth_of(first);
  tuple.items.push_back(std::move(first));
  while (tokens_.skip_operator(",") && !ends()) {
    tuple.items.push_back(TRY(parse(conditional)));
    depth = std::max(depth, depth_of(tuple.items.back()));
  }
  return make(at, depth, std::move(tuple));
}

Result<ExpressionPtr> ExpressionParser::parse_conditional() {
  ExpressionPtr value = TRY(parse_or());
  while (tokens_.current().is_name("if")) {
    const Position at = tokens_.next().at;
    ExpressionPtr condition = TRY(parse_or());
    ExpressionPtr otherwise;
    if (tokens_.skip_name("else")) otherwise = TRY(parse());
    const int depth = deepest(value, condition, otherwise);
    value = TRY(make(at, depth, Conditional{std::move(condition), std::move(value), std::move(otherwise)}));
  }
  return value;
}

Result<ExpressionPtr> ExpressionParser::parse_logical(Level operand, std::string_view word) {
  ExpressionPtr left = TRY((this->*operand)());
  while (tokens_.current().is_name(word)) {
    const Position at = tokens_.next().at;
    ExpressionPtr right = TRY((this->*operand)());
    const int depth = deepest(left, right);
    left = TRY(make(at, depth, Logical{word == "and", std::move(left), std::move(right)}));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_or() {
  return parse_logical(&ExpressionParser::parse_and, "or");
}
Result<ExpressionPtr> ExpressionParser::parse_and() {
  return parse_logical(&ExpressionParser::parse_not, "and");
}

Result<ExpressionPtr> ExpressionParser::parse_not() {
  if (!tokens_.current().is_name("not")) return parse_comparison();
  const Position at = tokens_.next().at;
  TRY(enter());
  auto operand = parse_not();
  leave();
  if (!operand) return operand;
  const int depth = depth_of(*operand);
  return make(at, depth, Unary{UnaryOperator::kNot, std::move(*operand)});
}

Result<ExpressionPtr> ExpressionParser::parse_comparison() {
  const Position at = tokens_.current().at;
  ExpressionPtr first = TRY(parse_sum());
  Comparison comparison;
  int depth = depth_of(first);
  while (true) {
    const Token& token = tokens_.current();
    std::optional<Comparator> op;
    if (token.type == TokenType::kOperator) op = comparator(token.text);
    if (token.is_name("in")) op = Comparator::kIn;
    if (token.is_name("not") && tokens_.ahead().is_name("in")) {
      op = Comparator::kNotIn;
      tokens_.next();
    }
    if (!op) break;
    tokens_.next();
    comparison.rest.emplace_back(*op, TRY(parse_sum()));
    depth = std::max(depth, depth_of(comparison.rest.back().second));
  }
  if (comparison.rest.empty()) return first;
  comparison.first = std::move(first);
  return make(at, depth, std::move(comparison));
}

Result<ExpressionPtr> ExpressionParser::parse_operators(
    Level operand, std::initializer_list<std::pair<std::string_view, BinaryOperator>> operators) {
  ExpressionPtr left = TRY((this->*operand)());
  while (true) {
    const auto found = std::ranges::find_if(
        operators, [&](const auto& op) { return tokens_.current().is_operator(op.first); });
    if (found == operators.end()) return left;
    const Position at = tokens_.next().at;
    ExpressionPtr right = TRY((this->*operand)());
    const int depth = deepest(left, right);
    left = TRY(make(at, depth, Binary{found->second, std::move(left), std::move(right)}));
  }
}

Result<ExpressionPtr> ExpressionParser::parse_sum() {
  return parse_operators(&ExpressionParser::parse_concatenation,
                         {{"+", BinaryOperator::kAdd}, {"-", BinaryOperator::kSubtract}});
}

Result<ExpressionPtr> ExpressionParser::parse_concatenation() {
  const Position at = tokens_.current().at;
  ExpressionPtr first = TRY(parse_product());
  if (!tokens_.current().is_operator("~")) return first;
  Concatenation concatenation;
  int depth = depth_of(first);
  concatenation.parts.push_back(std::move(first));
  while (tokens_.skip_operator("~")) {
    concatenation.parts.push_back(TRY(parse_product()));
    depth = std::max(depth, depth_of(concatenation.parts.back()));
  }
  return make(at, depth, std::move(concatenation));
}

Result<ExpressionPtr> ExpressionParser::parse_product() {
  return parse_operators(&ExpressionParser::parse_power, {{"*", BinaryOperator::kMultiply},
                                                          {"/", BinaryOperator::kDivide},
                                                          {"//", BinaryOperator::kFloorDivide},
                                                          {"%", BinaryOperator::kModulo}});
}

Result<ExpressionPtr> ExpressionParser::parse_power() {
  return parse_operators(&ExpressionParser::parse_unary_with_filters, {{"**", BinaryOperator::kPower}});
}

Result<ExpressionPtr> ExpressionParser::parse_unary(bool with_filters) {
  const Token& token = tokens_.current();
  ExpressionPtr expression;
  if (token.is_operator("-") || token.is_operator("+")) {
    const UnaryOperator op = token.text == "-" ? UnaryOperator::kMinus : UnaryOperator::kPlus;
    const Position at = tokens_.next().at;
    TRY(enter());
    auto operand = parse_unary(false);
    leave();
    if (!operand) return operand;
    const int depth = depth_of(*operand);
    expression = TRY(make(at, depth, Unary{op, std::move(*operand)}));
  } else {
    expression = TRY(parse_primary());
  }
  expression = TRY(parse_postfix(std::move(expression)));
  if (with_filters) expression = TRY(parse_filters(std::move(expression)));
  return expression;
}

Result<ExpressionPtr> ExpressionParser::parse_primary() {
  const Token& token = tokens_.current();
  switch (token.type) {
    case TokenType::kName:
      return parse_name();
    case TokenType::kString:
      return parse_string();
    case TokenType::kInteger:
    case TokenType::kFloat:
      return parse_number();
    default:
      break;
  }
  if (token.is_operator("[")) return parse_list();
  if (token.is_operator("{")) return parse_dict();
  if (!token.is_operator("(")) return tokens_.unexpected("an expression");
  const Position at = tokens_.next().at;
  if (tokens_.skip_operator(")")) return make(at, 0, ListLiteral{.tuple = true});
  ExpressionPtr inner = TRY(parse_tuple());
  TRY(tokens_.expect_operator(")"));
  return inner;
}

Result<ExpressionPtr> ExpressionParser::parse_name() {
  const Token& token = tokens_.next();
  if (token.text == "true" || token.text == "True") return make(token.at, 0, Constant{Value(true)});
  if (token.text == "false" || token.text == "False") return make(token.at, 0, Constant{Value(false)});
  if (token.text == "none" || token.text == "None") return make(token.at, 0, Constant{Value::none()});
  return make(token.at, 0, Name{token.text});
}

Result<ExpressionPtr> ExpressionParser::parse_string() {
  const Position at = tokens_.current().at;
  std::string value;
  while (tokens_.current().type == TokenType::kString) value += tokens_.next().text;
  return make(at, 0, TextLiteral{Text(value, true)});
}

Result<ExpressionPtr> ExpressionParser::parse_number() {
  const Token& token = tokens_.next();
  const char* const end = token.text.data() + token.text.size();
  if (token.type == TokenType::kFloat) {
    double number = 0;
    const auto read = std::from_chars(token.text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end)
      return fail_at(token.at, "the number {} is out of range", token.text);
    return make(token.at, 0, Constant{Value(number)});
  }
  int64_t number = 0;
  const auto read = std::from_chars(token.text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end)
    return fail_at(token.at, "the number {} is out of range", token.text);
  return make(token.at, 0, Constant{Value::integer(number)});
}

Result<ExpressionPtr> ExpressionParser::parse_list() {
  const Position at = tokens_.next().at;
  ListLiteral list;
  int depth = 0;
  while (!tokens_.current().is_operator("]")) {
    if (!list.items.empty()) {
      TRY(tokens_.expect_operator(","));
      if (tokens_.current().is_operator("]")) break;
    }
    list.items.push_back(TRY(parse()));
    depth = std::max(depth, depth_of(list.items.back()));
  }
  tokens_.next();
  return make(at, depth, std::move(list));
}

Result<ExpressionPtr> ExpressionParser::parse_dict() {
  const Position at = tokens_.next().at;
  DictLiteral dict;
  int depth = 0;
  while (!tokens_.current().is_operator("}")) {
    if (!dict.entries.empty()) {
      TRY(tokens_.expect_operator(","));
      if (tokens_.current().is_operator("}")) break;
    }
    ExpressionPtr key = TRY(parse());
    TRY(tokens_.expect_operator(":"));
    ExpressionPtr value = TRY(parse());
    depth = std::max(depth, deepest(key, value));
    dict.entries.emplace_back(std::move(key), std::move(value));
  }
  tokens_.next();
  return make(at, depth, std::move(dict));
}

Result<ExpressionPtr> ExpressionParser::parse_postfix(ExpressionPtr expression) {
  while (true) {
    const Token& token = tokens_.current();
    if (token.is_operator(".")) {
      expression = TRY(parse_dot(std::move(expression)));
    } else if (token.is_operator("[")) {
      expression = TRY(parse_subscript(std::move(expression)));
    } else if (token.is_operator("(")) {
      expression = TRY(parse_call(std::move(expression)));
    } else {
      return expression;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::parse_filters(ExpressionPtr expression) {
  while (true) {
    const Token& token = tokens_.current();
    if (token.is_operator("|")) {
      tokens_.next();
      const Position at = tokens_.current().at;
      int depth = depth_of(expression);
      auto [name, arguments] = TRY(parse_filter_name(depth));
      expression =
          TRY(make(at, depth, FilterCall{std::move(expression), std::move(name), std::move(arguments)}));
    } else if (token.is_name("is")) {
      expression = TRY(parse_test(std::move(expression)));
    } else if (token.is_operator("(")) {
      expression = TRY(parse_call(std::move(expression)));
    } else {
      return expression;
    }
  }
}

Result<std::pair<std::string, CallArguments>> ExpressionParser::parse_filter_name(int& depth) {
  std::string name = TRY(tokens_.expect(TokenType::kName, "a filter name")).text;
  CallArguments arguments;
  if (tokens_.current().is_operator("(")) arguments = TRY(parse_arguments(depth));
  return std::pair(std::move(name), std::move(arguments));
}

Result<ExpressionPtr> ExpressionParser::parse_test(ExpressionPtr subject) {
  tokens_.next();
  TestCall test{.negated = tokens_.skip_name("not")};
  const Token name = TRY(tokens_.expect(TokenType::kName, "a test name"));
  test.name = name.text;
  int depth = depth_of(subject);
  const Token& token = tokens_.current();
  const bool word =
      token.type == TokenType::kName && token.text != "else" && token.text != "or" && token.text != "and";
  const bool literal = token.type == TokenType::kString || token.type == TokenType::kInteger ||
                       token.type == TokenType::kFloat || token.is_operator("[") || token.is_operator("{");
  if (token.is_operator("(")) {
    test.arguments = TRY(parse_arguments(depth));
  } else if (token.is_name("is")) {
    return fail_at(token.at, "tests cannot be chained");
  } else if (word || literal) {
    ExpressionPtr argument = TRY(parse_primary());
    argument = TRY(parse_postfix(std::move(argument)));
    depth = std::max(depth, depth_of(argument));
    test.arguments.positional.push_back(std::move(argument));
  }
  test.subject = std::move(subject);
  return make(name.at, depth, std::move(test));
}

Result<ExpressionPtr> ExpressionParser::parse_dot(ExpressionPtr object) {
  tokens_.next();
  const Token token = tokens_.next();
  const int depth = depth_of(object);
  if (token.type == TokenType::kName) return make(token.at, depth, Attribute{std::move(object), token.text});
  int64_t index = 0;
  const char* const end = token.text.data() + token.text.size();
  if (token.type != TokenType::kInteger || std::from_chars(token.text.data(), end, index).ptr != end) {
    return fail_at(token.at, "expected a name or a number after '.', found {}", describe(token));
  }
  ExpressionPtr index_node = TRY(make(token.at, 0, Constant{Value::integer(index)}));
  return make(token.at, depth, Subscript{std::move(object), std::move(index_node)});
}

Result<ExpressionPtr> ExpressionParser::parse_subscript(ExpressionPtr object) {
  const Position at = tokens_.next().at;
  const auto bound = [&]() -> Result<ExpressionPtr> {
    if (tokens_.current().is_operator(":") || tokens_.current().is_operator("]")) return ExpressionPtr();
    return parse();
  };
  ExpressionPtr start = TRY(bound());
  if (!tokens_.current().is_operator(":")) {
    if (start == nullptr) return tokens_.unexpected("an index");
    TRY(tokens_.expect_operator("]"));
    const int depth = deepest(object, start);
    return make(at, depth, Subscript{std::move(object), std::move(start)});
  }
  tokens_.next();
  ExpressionPtr stop = TRY(bound());
  ExpressionPtr step;
  if (tokens_.skip_operator(":")) step = TRY(bound());
  TRY(tokens_.expect_operator("]"));
  const int depth = deepest(object, start, stop, step);
  return make(at, depth, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

Result<ExpressionPtr> ExpressionParser::parse_call(ExpressionPtr callee) {
  const Position at = tokens_.current().at;
  int depth = depth_of(callee);
  CallArguments arguments = TRY(parse_arguments(depth));
  return make(at, depth, Call{std::move(callee), std::move(arguments)});
}

Result<CallArguments> ExpressionParser::parse_arguments(int& depth) {
  TRY(tokens_.expect_operator("("));
  CallArguments arguments;
  bool first = true;
  while (!tokens_.current().is_operator(")")) {
    if (!std::exchange(first, false)) {
      TRY(tokens_.expect_operator(","));
      if (tokens_.current().is_operator(")")) break;
    }
    const Position at = tokens_.current().at;
    const bool named = tokens_.current().type == TokenType::kName && tokens_.ahead().is_operator("=");
    const bool spread = tokens_.current().is_operator("*") || tokens_.current().is_operator("**");
    const bool late = arguments.spread_named != nullptr ||
                      (!named && (arguments.spread != nullptr || !arguments.named.empty()) && !spread);
    if (late) return fail_at(at, "an argument by position cannot follow named or spread ones");
    ExpressionPtr value;
    if (named) {
      std::string name = tokens_.next().text;
      tokens_.next();
      value = TRY(parse());
      depth = std::max(depth, depth_of(value));
      arguments.named.emplace_back(std::move(name), std::move(value));
      continue;
    }
    const bool spread_named = tokens_.skip_operator("**");
    if (!spread_named) tokens_.skip_operator("*");
    value = TRY(parse());
    depth = std::max(depth, depth_of(value));
    if (spread_named) {
      arguments.spread_named = std::move(value);
    } else if (spread) {
      if (arguments.spread != nullptr) return fail_at(at, "only one list of arguments can be spread");
      arguments.spread = std::move(value);
    } else {
      arguments.positional.push_back(std::move(value));
    }
  }
  tokens_.next();
  return arguments;
}

}  // namespace feilun::jinja
