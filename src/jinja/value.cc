#include "jinja/value.h"

#include <cmath>

namespace feilun::jinja {

const Value* Dict::find(const DictKey& key) const {
  const auto found = index.find(key);
  return found == index.end() ? nullptr : &entries[found->second].second;
}

const Value* Dict::find_text(std::string_view key) const {
  return find("s" + std::string(key));
}

void Dict::set(DictKey key, Value key_value, Value value) {
  const auto [place, is_new] = index.try_emplace(std::move(key), entries.size());
  if (is_new) {
    entries.emplace_back(key_value, value);
  } else {
    entries[place->second].second = value;
  }
}

Result<DictKey> dict_key(const Value& value, int depth) {
  switch (value.kind()) {
    case Kind::kText:
      return "s" + std::string(value.bytes());
    case Kind::kBool:
    case Kind::kInteger:
      return fmt::format("i{}", value.as_integer());
    case Kind::kFloat: {
      const double number = value.as_float();
      const bool whole = std::abs(number) < 1e37 && number == std::trunc(number);
      return whole ? fmt::format("i{}", static_cast<Integer>(number)) : fmt::format("f{}", number);
    }
    case Kind::kNone:
      return "n";
    case Kind::kUndefined:
      return "u";
    case Kind::kList: {
      if (value.as_list().type != List::Type::kTuple) break;
      DictKey key = "t";
      for (const Value& item : value.as_list().items) {
        if (depth > 16 || key.size() > 4096)
          return fail(ErrorCode::kInvalidArgument, "a tuple is too large for a key");
        const DictKey part = TRY(dict_key(item, depth + 1));
        key += fmt::format("{}:{}", part.size(), part);
      }
      return key;
    }
    case Kind::kNamespace:
    case Kind::kCallable:
    case Kind::kLoop:
      return fmt::format("p{}", value.identity());
    case Kind::kDict:
      break;
  }
  return fail(ErrorCode::kInvalidArgument, "a {} cannot be a key", type_name(value));
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "undefined";
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "bool";
    case Kind::kInteger:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kText:
      return "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "namespace";
    case Kind::kCallable:
      return "function";
    case Kind::kLoop:
      return "loop";
    case Kind::kList:
      break;
  }
  switch (value.as_list().type) {
    case List::Type::kTuple:
      return "tuple";
    case List::Type::kRange:
      return "range";
    case List::Type::kView:
      return "dict view";
    case List::Type::kGenerator:
      return "generator";
    case List::Type::kList:
      break;
  }
  return "list";
}

}  // namespace feilun::jinja
