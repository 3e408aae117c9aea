#include "jinja/print.h"

#include <charconv>
#include <cmath>

#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

// Python's repr of values, gathered as plain bytes; remembers whether any string came from outside.
class ReprWriter {
 public:
  explicit ReprWriter(Heap& heap) : heap_(heap) {}

  Result<void> write(const Value& value, int depth) {
    TRY(heap_.spend_work(1));
    if (depth > kValueDepthMax) return fail(ErrorCode::kInvalidArgument, "the value nests too deeply");
    switch (value.kind()) {
      case Kind::kUndefined:
        return put("Undefined");
      case Kind::kNone:
        return put("None");
      case Kind::kBool:
        return put(value.as_bool() ? "True" : "False");
      case Kind::kInteger:
        return put(fmt::format("{}", value.as_integer()));
      case Kind::kFloat:
        return put(float_repr(value.as_float()));
      case Kind::kText:
        return write_text(value.as_text());
      case Kind::kList:
        return write_list(value.as_list(), depth);
      case Kind::kDict:
        return write_dict(value.as_dict(), depth);
      case Kind::kNamespace:
        TRY(put("<Namespace "));
        TRY(write_dict(value.as_namespace().attributes, depth));
        return put(">");
      case Kind::kCallable:
        return put(fmt::format("<function {}>", value.as_callable().name));
      case Kind::kLoop:
        return put(
            fmt::format("<LoopContext {}/{}>", value.as_loop().index0 + 1, value.as_loop().items->size()));
    }
    return {};
  }

  Text take() && { return Text(out_, trusted_); }

 private:
  Result<void> put(std::string_view bytes) {
    TRY(heap_.spend_memory(bytes.size()));
    out_.append(bytes);
    return {};
  }

  Result<void> write_text(const Text& text) {
    trusted_ = trusted_ && text.trusted();
    const std::string_view bytes = text.bytes();
    const bool double_quotes = bytes.contains('\'') && !bytes.contains('"');
    const char quote = double_quotes ? '"' : '\'';
    std::string escaped(1, quote);
    for (size_t at = 0; at < bytes.size();) {
      const CodePoint c = code_point_at(bytes, at);
      append_escaped(escaped, c.value, quote);
      at += c.size;
    }
    escaped.push_back(quote);
    return put(escaped);
  }

  static void append_escaped(std::string& out, char32_t c, char quote) {
    const auto number = static_cast<uint32_t>(c);
    if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out += {'\\', static_cast<char>(c)};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      append_utf8(out, c);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", number);
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", number);
    } else {
      out += fmt::format("\\U{:08x}", number);
    }
  }

  Result<void> write_list(const List& list, int depth) {
    if (list.type == List::Type::kGenerator) return put("<generator object>");
    const bool tuple = list.type == List::Type::kTuple;
    TRY(put(tuple ? "(" : "["));
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) TRY(put(", "));
      TRY(write(list.items[i], depth + 1));
    }
    if (tuple && list.items.size() == 1) TRY(put(","));
    return put(tuple ? ")" : "]");
  }

  Result<void> write_dict(const Dict& dict, int depth) {
    TRY(put("{"));
    bool first = true;
    for (const auto& [key, value] : dict.entries) {
      if (!std::exchange(first, false)) TRY(put(", "));
      TRY(write(key, depth + 1));
      TRY(put(": "));
      TRY(write(value, depth + 1));
    }
    return put("}");
  }

  Heap& heap_;
  std::string out_;
  bool trusted_ = true;
};

}  // namespace

std::string float_repr(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  // The shortest digits come as d.ddde±XX; Python then places the point itself.
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, end);
  const size_t e = text.find('e');
  std::string digits;
  for (char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  int exponent = 0;
  const std::string_view exponent_text = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  const std::string sign = std::signbit(number) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    if (digits.size() > 1) digits.insert(1, ".");
    return fmt::format("{}{}e{}{:02}", sign, digits, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.insert(whole, ".");
}

Result<void> print(Heap& heap, const Value& value, Text& out) {
  if (value.is_undefined()) return {};
  if (value.is_text()) {
    TRY(heap.spend_memory(value.as_text().size()));
    out.append(value.as_text());
    return {};
  }
  ReprWriter writer(heap);
  TRY(writer.write(value, 0));
  out.append(std::move(writer).take());
  return {};
}

Result<Value> to_text(Heap& heap, const Value& value) {
  if (value.is_text()) return value;
  Text text;
  TRY(print(heap, value, text));
  return heap.text(std::move(text));
}

std::string describe_undefined(const Value& value) {
  return value.hint() == nullptr ? "the value is undefined" : *value.hint();
}

}  // namespace feilun::jinja
