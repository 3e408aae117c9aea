#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/token.h"
#include "jinja/value.h"

// The syntax tree of a template. Nodes own their children; a tree is at most kTreeDepthMax nodes deep, so
// that walking and destroying it cannot exhaust the stack.
namespace feilun::jinja {

inline constexpr int kTreeDepthMax = 200;

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr spread;        ///< *expression
  ExpressionPtr spread_named;  ///< **expression
};

struct TextLiteral {
  Text text;
};
struct Constant {
  Value value;
};
struct Name {
  std::string name;
};
struct ListLiteral {
  std::vector<ExpressionPtr> items;
  bool tuple = false;
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
struct Subscript {
  ExpressionPtr object, index;
};
struct Slice {
  ExpressionPtr object, start, stop, step;
};  ///< any bound may be null
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct FilterCall {
  ExpressionPtr subject;
  std::string name;
  CallArguments arguments;
};
struct TestCall {
  ExpressionPtr subject;
  std::string name;
  CallArguments arguments;
  bool negated = false;
};
enum class UnaryOperator : uint8_t { kNot, kMinus, kPlus };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
enum class BinaryOperator : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
struct Binary {
  BinaryOperator op;
  ExpressionPtr left, right;
};
struct Logical {
  bool is_and;
  ExpressionPtr left, right;
};
struct Concatenation {
  std::vector<ExpressionPtr> parts;
};
enum class Comparator : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};
struct Comparison {
  ExpressionPtr first;
  std::vector<std::pair<Comparator, ExpressionPtr>> rest;
};
struct Conditional {
  ExpressionPtr condition, then, otherwise;
};  ///< otherwise may be null

struct Expression {
  Position at;
  int depth = 1;  ///< of the tree below, itself included
  std::variant<TextLiteral, Constant, Name, ListLiteral, DictLiteral, Attribute, Subscript, Slice, Call,
               FilterCall, TestCall, Unary, Binary, Logical, Concatenation, Comparison, Conditional>
      node;
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

/// What `set` and `for` assign to: a name, `namespace.attribute`, or several of them.
struct Target {
  Position at;
  std::string name;
  std::string attribute = {};      ///< empty: the plain name
  std::vector<Target> parts = {};  ///< not empty: unpack into these
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback;
};
/// A body that names `varargs`, `kwargs` or `caller` accepts them beyond its parameters.
struct Signature {
  std::vector<Parameter> parameters;
  bool takes_varargs = false, takes_kwargs = false, takes_caller = false;
};
/// Filters that a set or filter block sends its text through, the first to be applied first.
struct FilterChain {
  std::vector<std::pair<Position, std::pair<std::string, CallArguments>>> filters;
};

struct Data {
  Text text;
};
struct Output {
  ExpressionPtr value;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Block>> branches;
  Block otherwise;
};
struct For {
  Target target;
  ExpressionPtr items, condition;
  bool recursive = false;
  Block body, otherwise;
};
struct Set {
  Target target;
  ExpressionPtr value;
};
struct SetBlock {
  Target target;
  FilterChain filters;
  Block body;
};
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> bindings;
  Block body;
};
struct Macro {
  std::string name;
  Signature signature;
  Block body;
};
struct CallBlock {
  Signature signature;
  ExpressionPtr call;
  Block body;
};
struct FilterBlock {
  FilterChain filters;
  Block body;
};
struct Scoped {
  Block body;
};  ///< generation and block: a block with variables of its own
struct Break {};
struct Continue {};

struct Statement {
  Position at;
  std::variant<Data, Output, If, For, Set, SetBlock, With, Macro, CallBlock, FilterBlock, Scoped, Break,
               Continue>
      node;
};

}  // namespace feilun::jinja
