#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "jinja/text.h"

namespace feilun::jinja {

using Integer = __int128;

struct List;
struct Dict;
struct Namespace;
struct Callable;
struct Loop;

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInteger,
  kFloat,
  kText,
  kList,
  kDict,
  kNamespace,
  kCallable,
  kLoop,
};

/// A Python value as templates see it. Small and copied freely: what does not fit inside lives in the
/// render's Heap and is shared, as in Python.
class Value {
 public:
  Value() : hint_(nullptr) {}
  static Value undefined(const std::string* hint) {
    Value v;
    v.hint_ = hint;
    return v;
  }
  static Value none() {
    Value v;
    v.kind_ = Kind::kNone;
    return v;
  }
  explicit Value(bool b) : kind_(Kind::kBool), bool_(b) {}
  explicit Value(Integer i) : kind_(Kind::kInteger), integer_(i) {}
  static Value integer(Integer i) { return Value(i); }
  explicit Value(double d) : kind_(Kind::kFloat), float_(d) {}
  explicit Value(const Text* text) : kind_(Kind::kText), text_(text) {}
  explicit Value(List* list) : kind_(Kind::kList), list_(list) {}
  explicit Value(Dict* dict) : kind_(Kind::kDict), dict_(dict) {}
  explicit Value(Namespace* ns) : kind_(Kind::kNamespace), namespace_(ns) {}
  explicit Value(const Callable* callable) : kind_(Kind::kCallable), callable_(callable) {}
  explicit Value(Loop* loop) : kind_(Kind::kLoop), loop_(loop) {}

  Kind kind() const { return kind_; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_float() const { return kind_ == Kind::kFloat; }
  bool is_text() const { return kind_ == Kind::kText; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_dict() const { return kind_ == Kind::kDict; }
  bool is_callable() const { return kind_ == Kind::kCallable; }
  bool is_loop() const { return kind_ == Kind::kLoop; }
  /// Python's int, of which bool is a part.
  bool is_integral() const { return kind_ == Kind::kInteger || kind_ == Kind::kBool; }
  bool is_number() const { return is_integral() || is_float(); }

  // Each is valid for its own kind alone.
  bool as_bool() const { return bool_; }
  Integer as_integer() const { return is_bool() ? Integer{bool_} : integer_; }
  double as_float() const { return is_float() ? float_ : static_cast<double>(as_integer()); }
  const Text& as_text() const { return *text_; }
  std::string_view bytes() const { return text_->bytes(); }
  List& as_list() const { return *list_; }
  Dict& as_dict() const { return *dict_; }
  Namespace& as_namespace() const { return *namespace_; }
  const Callable& as_callable() const { return *callable_; }
  Loop& as_loop() const { return *loop_; }
  /// Why the value is undefined, in words; may be null.
  const std::string* hint() const { return hint_; }
  /// The place of a shared value, for Python's `is`.
  const void* identity() const { return list_; }

 private:
  Kind kind_ = Kind::kUndefined;
  union {
    bool bool_;
    Integer integer_;
    double float_;
    const Text* text_;
    List* list_;
    Dict* dict_;
    Namespace* namespace_;
    const Callable* callable_;
    Loop* loop_;
    const std::string* hint_;
  };
};

/// Python's list and what behaves nearly so: a view of a dict has a length but no index, a generator neither.
struct List {
  enum class Type : uint8_t { kList, kTuple, kRange, kView, kGenerator };
  Type type = Type::kList;
  std::vector<Value> items;
  bool indexable() const { return type != Type::kView && type != Type::kGenerator; }
};

/// An insertion-ordered dict. Equal keys hash to equal `DictKey`s (1, 1.0 and True are one key).
using DictKey = std::string;
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_map<DictKey, size_t> index;

  const Value* find(const DictKey& key) const;
  const Value* find_text(std::string_view key) const;
  void set(DictKey key, Value key_value, Value value);
};

/// An error for what Python cannot hash (lists, dicts), and for tuples of absurd size or depth.
Result<DictKey> dict_key(const Value& value, int depth = 0);

struct Namespace {
  Dict attributes;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

/// A macro, a method bound to its object, or a function of the environment.
struct Callable {
  std::string name;
  std::function<Result<Value>(const Arguments&)> call;
};

/// The variable `loop` inside a for.
struct Loop {
  const std::vector<Value>* items = nullptr;
  size_t index0 = 0;
  size_t depth0 = 0;
  std::optional<Value> last_changed;
  const Callable* recurse = nullptr;  ///< loop(…) of a recursive for
};

/// The name Python's messages give the type: "str", "list", "dict".
std::string_view type_name(const Value& value);

}  // namespace feilun::jinja
