#include "jinja/parser.h"

#include <algorithm>

#include "jinja/expression_parser.h"
#include "jinja/lexer.h"
#include "jinja/token_stream.h"

namespace feilun::jinja {
namespace {

class StatementParser {
 public:
  explicit StatementParser(std::vector<Token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  Result<Block> parse() {
    Block block = TRY(parse_until({}));
    return block;
  }

 private:
  using Ends = std::vector<std::string_view>;

  template <typename Node>
  static std::unique_ptr<Statement> make(Position at, Node node) {
    return std::make_unique<Statement>(at, std::move(node));
  }

  // Statements up to a block tag named by one of `ends`, which is left current; to the end for none.
  Result<Block> parse_until(const Ends& ends) {
    Block block;
    const Position start = tokens_.current().at;
    while (tokens_.current().type != TokenType::kEnd) {
      const Token token = tokens_.next();
      if (token.type == TokenType::kData) {
        block.push_back(make(token.at, Data{Text(token.text, true)}));
      } else if (token.type == TokenType::kVariableBegin) {
        ExpressionPtr value = TRY(expressions_.parse_tuple());
        TRY(tokens_.expect(TokenType::kVariableEnd, "'}}'"));
        block.push_back(make(token.at, Output{std::move(value)}));
      } else {
        const Token& name = tokens_.current();
        if (name.type == TokenType::kName && std::ranges::find(ends, name.text) != ends.end()) return block;
        block.push_back(TRY(parse_statement()));
        TRY(tokens_.expect(TokenType::kBlockEnd, "'%}'"));
      }
    }
    if (ends.empty()) return block;
    return fail_at(start, "the block is not closed by '{{% {} %}}'", ends.back());
  }

  // The body after an opening tag. Leaves the closing tag's name current.
  Result<Block> parse_body(const Ends& ends) {
    tokens_.skip_operator(":");
    TRY(tokens_.expect(TokenType::kBlockEnd, "'%}'"));
    TRY(expressions_.enter());
    auto block = parse_until(ends);
    expressions_.leave();
    return block;
  }

  Result<Block> parse_closed_body(std::string_view end) {
    Block block = TRY(parse_body({end}));
    tokens_.next();
    return block;
  }

  Result<std::unique_ptr<Statement>> parse_statement() {
    using Parse = Result<std::unique_ptr<Statement>> (StatementParser::*)(Position);
    static constexpr std::pair<std::string_view, Parse> kStatements[] = {
        {"if", &StatementParser::parse_if},       {"for", &StatementParser::parse_for},
        {"set", &StatementParser::parse_set},     {"macro", &StatementParser::parse_macro},
        {"call", &StatementParser::parse_call},   {"filter", &StatementParser::parse_filter},
        {"with", &StatementParser::parse_with},   {"generation", &StatementParser::parse_generation},
        {"break", &StatementParser::parse_break}, {"continue", &StatementParser::parse_continue},
        {"print", &StatementParser::parse_print},
    };
    const Token name = TRY(tokens_.expect(TokenType::kName, "the name of a tag"));
    const auto found = std::ranges::find(kStatements, std::string_view(name.text),
                                         &std::pair<std::string_view, Parse>::first);
    if (found == std::end(kStatements)) return fail_at(name.at, "unknown tag '{}'", name.text);
    return (this->*found->second)(name.at);
  }

  Result<std::unique_ptr<Statement>> parse_if(Position at) {
    If node;
    while (true) {
      ExpressionPtr condition = TRY(expressions_.parse_tuple(false));
      Block body = TRY(parse_body({"elif", "else", "endif"}));
      node.branches.emplace_back(std::move(condition), std::move(body));
      if (!tokens_.skip_name("elif")) break;
    }
    if (tokens_.skip_name("else")) {
      node.otherwise = TRY(parse_closed_body("endif"));
    } else {
      tokens_.next();
    }
    return make(at, std::move(node));
  }

  Result<std::unique_ptr<Statement>> parse_for(Position at) {
    For node{.target = TRY(parse_target(false))};
    TRY(tokens_.expect_name("in"));
    node.items = TRY(expressions_.parse_tuple(false));
    if (tokens_.skip_name("if")) node.condition = TRY(expressions_.parse());
    node.recursive = tokens_.skip_name("recursive");
    ++loops_;
    auto body = parse_body({"else", "endfor"});
    --loops_;
    node.body = TRY(std::move(body));
    if (tokens_.skip_name("else")) {
      node.otherwise = TRY(parse_closed_body("endfor"));
    } else {
      tokens_.next();
    }
    return make(at, std::move(node));
  }

  Result<std::unique_ptr<Statement>> parse_set(Position at) {
    Target target = TRY(parse_target(true));
    if (tokens_.skip_operator("=")) {
      ExpressionPtr value = TRY(expressions_.parse_tuple());
      return make(at, Set{std::move(target), std::move(value)});
    }
    FilterChain filters;
    if (tokens_.skip_operator("|")) filters = TRY(parse_filter_chain());
    Block body = TRY(parse_closed_body("endset"));
    return make(at, SetBlock{std::move(target), std::move(filters), std::move(body)});
  }

  Result<FilterChain> parse_filter_chain() {
    FilterChain chain;
    do {
      const Position at = tokens_.current().at;
      int depth = 0;
      chain.filters.emplace_back(at, TRY(expressions_.parse_filter_name(depth)));
    } while (tokens_.skip_operator("|"));
    return chain;
  }

  Result<Target> parse_target(bool with_namespace) {
    Target first = TRY(parse_one_target(with_namespace));
    if (!tokens_.current().is_operator(",")) return first;
    Target tuple{.at = first.at};
    tuple.parts.push_back(std::move(first));
    while (tokens_.skip_operator(",")) {
      if (tokens_.current().is_name("in") || tokens_.current().is_operator("=")) break;
      tuple.parts.push_back(TRY(parse_one_target(with_namespace)));
    }
    return tuple;
  }

  Result<Target> parse_one_target(bool with_namespace) {
    if (tokens_.skip_operator("(")) {
      TRY(expressions_.enter());
      auto inner = parse_target(with_namespace);
      expressions_.leave();
      if (!inner) return inner;
      TRY(tokens_.expect_operator(")"));
      return inner;
    }
    const Token name = TRY(tokens_.expect(TokenType::kName, "a variable name"));
    static constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
    if (std::ranges::find(kReserved, name.text) != std::end(kReserved)) {
      return fail_at(name.at, "'{}' cannot be assigned to", name.text);
    }
    Target target{.at = name.at, .name = name.text};
    if (with_namespace && tokens_.skip_operator(".")) {
      target.attribute = TRY(tokens_.expect(TokenType::kName, "an attribute name")).text;
    }
    return target;
  }

  Result<Signature> parse_signature() {
    TRY(tokens_.expect_operator("("));
    Signature signature;
    while (!tokens_.current().is_operator(")")) {
      if (!signature.parameters.empty()) TRY(tokens_.expect_operator(","));
      const Token name = TRY(tokens_.expect(TokenType::kName, "a parameter name"));
      ExpressionPtr fallback;
      if (tokens_.skip_operator("=")) {
        fallback = TRY(expressions_.parse());
      } else if (!signature.parameters.empty() && signature.parameters.back().fallback != nullptr) {
        return fail_at(name.at, "a parameter without a default follows one that has a default");
      }
      signature.parameters.push_back({name.text, std::move(fallback)});
    }
    tokens_.next();
    return signature;
  }

  Result<Block> parse_callable_body(Signature& signature, std::string_view end) {
    const size_t start = tokens_.mark();
    const int loops = std::exchange(loops_, 0);
    auto body = parse_closed_body(end);
    loops_ = loops;
    signature.takes_varargs = tokens_.mentions("varargs", start);
    signature.takes_kwargs = tokens_.mentions("kwargs", start);
    signature.takes_caller = tokens_.mentions("caller", start);
    return body;
  }

  Result<std::unique_ptr<Statement>> parse_macro(Position at) {
    Macro macro{.name = TRY(tokens_.expect(TokenType::kName, "a macro name")).text};
    macro.signature = TRY(parse_signature());
    macro.body = TRY(parse_callable_body(macro.signature, "endmacro"));
    return make(at, std::move(macro));
  }

  Result<std::unique_ptr<Statement>> parse_call(Position at) {
    CallBlock block;
    if (tokens_.current().is_operator("(")) block.signature = TRY(parse_signature());
    const Position call_at = tokens_.current().at;
    block.call = TRY(expressions_.parse());
    if (!std::holds_alternative<Call>(block.call->node)) return fail_at(call_at, "expected a call");
    block.body = TRY(parse_callable_body(block.signature, "endcall"));
    return make(at, std::move(block));
  }

  Result<std::unique_ptr<Statement>> parse_filter(Position at) {
    FilterBlock block{.filters = TRY(parse_filter_chain())};
    block.body = TRY(parse_closed_body("endfilter"));
    return make(at, std::move(block));
  }

  Result<std::unique_ptr<Statement>> parse_with(Position at) {
    With with;
    while (tokens_.current().type != TokenType::kBlockEnd) {
      if (!with.bindings.empty()) TRY(tokens_.expect_operator(","));
      Target target = TRY(parse_one_target(false));
      TRY(tokens_.expect_operator("="));
      ExpressionPtr value = TRY(expressions_.parse());
      with.bindings.emplace_back(std::move(target), std::move(value));
    }
    with.body = TRY(parse_closed_body("endwith"));
    return make(at, std::move(with));
  }

  Result<std::unique_ptr<Statement>> parse_generation(Position at) {
    Block body = TRY(parse_closed_body("endgeneration"));
    return make(at, Scoped{std::move(body)});
  }

  Result<std::unique_ptr<Statement>> parse_print(Position at) {
    ExpressionPtr value = TRY(expressions_.parse());
    return make(at, Output{std::move(value)});
  }

  Result<std::unique_ptr<Statement>> parse_break(Position at) {
    if (loops_ == 0) return fail_at(at, "'break' outside of a loop");
    return make(at, Break{});
  }

  Result<std::unique_ptr<Statement>> parse_continue(Position at) {
    if (loops_ == 0) return fail_at(at, "'continue' outside of a loop");
    return make(at, Continue{});
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;
};

}  // namespace

Result<Block> parse_template(std::string_view source) {
  std::vector<Token> tokens = TRY(tokenize(source));
  return StatementParser(std::move(tokens)).parse();
}

}  // namespace feilun::jinja
