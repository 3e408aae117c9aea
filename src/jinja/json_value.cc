#include "jinja/json_value.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "jinja/compare.h"
#include "jinja/print.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

namespace dom = simdjson::dom;

// The parser has already bounded how deep elements nest.
Result<Value> from_element(Heap& heap, dom::element element) {
  TRY(heap.spend_work(1));
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      return Value::none();
    case dom::element_type::BOOL:
      return Value(element.get_bool().value_unsafe());
    case dom::element_type::INT64:
      return Value::integer(element.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return Value::integer(element.get_uint64().value_unsafe());
    case dom::element_type::DOUBLE:
      return Value(element.get_double().value_unsafe());
    case dom::element_type::STRING:
      return heap.text(element.get_string().value_unsafe(), false);
    case dom::element_type::ARRAY: {
      std::vector<Value> items;
      for (dom::element item : element.get_array().value_unsafe())
        items.push_back(TRY(from_element(heap, item)));
      return heap.list(std::move(items));
    }
    case dom::element_type::OBJECT: {
      const Value dict = TRY(heap.dict());
      for (auto [name, member] : element.get_object().value_unsafe()) {
        const Value key = TRY(heap.text(name, false));
        const Value value = TRY(from_element(heap, member));
        TRY(heap.set(dict.as_dict(), key, value));
      }
      return dict;
    }
  }
  return fail(ErrorCode::kInternal, "a JSON element of an unknown type");
}

class JsonWriter {
 public:
  JsonWriter(Heap& heap, const JsonStyle& style) : heap_(heap), style_(style) {}

  Result<void> write(const Value& value, int depth) {
    TRY(heap_.spend_work(1));
    if (depth > kValueDepthMax) return fail(ErrorCode::kInvalidArgument, "the value nests too deeply");
    switch (value.kind()) {
      case Kind::kNone:
        return put("null");
      case Kind::kBool:
        return put(value.as_bool() ? "true" : "false");
      case Kind::kInteger:
        return put(fmt::format("{}", value.as_integer()));
      case Kind::kFloat:
        return put(float_json(value.as_float()));
      case Kind::kText:
        return write_string(value.as_text());
      case Kind::kDict:
        return write_dict(value.as_dict(), depth);
      case Kind::kList: {
        const auto type = value.as_list().type;
        if (type == List::Type::kList || type == List::Type::kTuple)
          return write_list(value.as_list(), depth);
        [[fallthrough]];
      }
      default:
        return fail(ErrorCode::kInvalidArgument, "a {} cannot be written as JSON", type_name(value));
    }
  }

  Text take() && { return Text(out_, trusted_); }

 private:
  Result<void> put(std::string_view bytes) {
    TRY(heap_.spend_memory(bytes.size()));
    out_.append(bytes);
    return {};
  }

  static std::string float_json(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
    return float_repr(number);
  }

  Result<void> new_line(int depth) {
    if (style_.indent < 0) return {};
    return put("\n" + std::string(static_cast<size_t>(style_.indent) * static_cast<size_t>(depth), ' '));
  }

  Result<void> separate() {
    return put(style_.default_separators && style_.indent >= 0 ? "," : style_.item_separator);
  }

  Result<void> write_list(const List& list, int depth) {
    if (list.items.empty()) return put("[]");
    TRY(put("["));
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) TRY(separate());
      TRY(new_line(depth + 1));
      TRY(write(list.items[i], depth + 1));
    }
    TRY(new_line(depth));
    return put("]");
  }

  Result<void> write_dict(const Dict& dict, int depth) {
    if (dict.entries.empty()) return put("{}");
    std::vector<std::pair<Value, Value>> entries = dict.entries;
    TRY(heap_.spend_memory(entries.size() * sizeof entries[0]));
    if (style_.sort_keys) {
      std::ranges::sort(entries, {}, [](const auto& entry) {
        return entry.first.is_text() ? entry.first.bytes() : std::string_view();
      });
    }
    TRY(put("{"));
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) TRY(separate());
      TRY(new_line(depth + 1));
      TRY(write_key(entries[i].first));
      TRY(put(style_.key_separator));
      TRY(write(entries[i].second, depth + 1));
    }
    TRY(new_line(depth));
    return put("}");
  }

  // Keys that are no strings become strings.
  Result<void> write_key(const Value& key) {
    if (key.is_text()) return write_string(key.as_text());
    if (!key.is_number() && !key.is_none()) {
      return fail(ErrorCode::kInvalidArgument, "a {} cannot be a key in JSON", type_name(key));
    }
    TRY(put("\""));
    TRY(write(key, 0));
    return put("\"");
  }

  Result<void> write_string(const Text& text) {
    trusted_ = trusted_ && text.trusted();
    const std::string_view bytes = text.bytes();
    std::string escaped = "\"";
    for (size_t at = 0; at < bytes.size();) {
      const CodePoint c = code_point_at(bytes, at);
      append_escaped(escaped, c.value);
      at += c.size;
    }
    escaped += '"';
    return put(escaped);
  }

  void append_escaped(std::string& out, char32_t c) const {
    const auto number = static_cast<uint32_t>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        return;
      case '\\':
        out += "\\\\";
        return;
      case '\n':
        out += "\\n";
        return;
      case '\r':
        out += "\\r";
        return;
      case '\t':
        out += "\\t";
        return;
      case '\f':
        out += "\\f";
        return;
      case '\b':
        out += "\\b";
        return;
      default:
        break;
    }
    if (c < 0x20 || (style_.ensure_ascii && c >= 0x7F && c < 0x10000)) {
      if (c == 0x7F)
        out += '\x7F';
      else
        out += fmt::format("\\u{:04x}", number);
    } else if (style_.ensure_ascii && c >= 0x10000) {
      const uint32_t pair = number - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (pair >> 10), 0xDC00 + (pair & 0x3FF));
    } else {
      append_utf8(out, c);
    }
  }

  Heap& heap_;
  const JsonStyle& style_;
  std::string out_;
  bool trusted_ = true;
};

}  // namespace

Result<Value> value_from_json(Heap& heap, std::string_view json) {
  const JsonDocument document = TRY(JsonDocument::parse(json));
  return from_element(heap, document.root());
}

Result<Value> value_to_json(Heap& heap, const Value& value, const JsonStyle& style) {
  JsonWriter writer(heap, style);
  TRY(writer.write(value, 0));
  return heap.text(std::move(writer).take());
}

}  // namespace feilun::jinja
