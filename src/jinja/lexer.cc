#include "jinja/lexer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "jinja/string_literal.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

constexpr std::array<std::string_view, 24> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-",
                                                         "/",  "*",  "%",  "~",  "[",  "]",  "(", ")",
                                                         "{",  "}",  ">",  "<",  "=",  ".",  ":", "|"};
constexpr std::string_view kPunctuation = ",;";

std::string normalize_newlines(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text.push_back(source[i]);
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_digit_byte(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_character(char32_t c, bool first) {
  if (c == '_' || (c < 0x80 && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))) return true;
  if (!first && is_digit(c)) return true;
  return c >= 0x80 && is_alpha(c);
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) TRY(lex_root());
    add(TokenType::kEnd, "", source_.size());
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool looking_at(std::string_view text) const { return rest().starts_with(text); }

  // Positions are asked for in ascending order, so the walk over the source is made once.
  Position position_of(size_t offset) {
    for (; known_offset_ < offset; ++known_offset_) {
      if (source_[known_offset_] == '\n') {
        ++known_.line;
        known_.column = 1;
      } else if ((static_cast<unsigned char>(source_[known_offset_]) & 0xC0) != 0x80) {
        ++known_.column;
      }
    }
    return known_;
  }

  void add(TokenType type, std::string_view text, size_t offset) {
    tokens_.push_back({type, std::string(text), position_of(offset)});
  }

  void skip_whitespace() {
    while (at_ < source_.size()) {
      const CodePoint c = code_point_at(source_, at_);
      if (!is_space(c.value)) return;
      at_ += c.size;
    }
  }

  // Text up to the next tag, then that tag.
  Result<void> lex_root() {
    const size_t begin = at_;
    const size_t tag = find_tag(begin);
    const char kind = tag < source_.size() ? source_[tag + 1] : '\0';
    at_ = std::min(source_.size(), tag + 2);
    const char sign =
        at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+') ? source_[at_] : '\0';
    add_data(begin, tag, kind == '\0' ? '+' : sign, kind == '{');
    if (kind == '\0') return {};
    const Position where = position_of(tag);
    if (kind == '%' && lex_raw_begin(sign != '\0')) return lex_raw(where);
    if (sign != '\0') ++at_;
    if (kind == '#') return lex_comment(where);
    add(kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, "", tag);
    return lex_tag(kind == '%', where);
  }

  size_t find_tag(size_t from) const {
    while (true) {
      const size_t brace = source_.find('{', from);
      if (brace == std::string::npos || brace + 1 >= source_.size()) return source_.size();
      const char next = source_[brace + 1];
      if (next == '{' || next == '%' || next == '#') return brace;
      from = brace + 1;
    }
  }

  void add_data(size_t begin, size_t end, char sign, bool variable) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      text = right_stripped(text);
    } else if (sign != '+' && !variable) {
      text = without_indent(text, begin);
    }
    if (!text.empty()) add(TokenType::kData, text, begin);
  }

  static std::string_view right_stripped(std::string_view text) {
    while (!text.empty()) {
      const CodePoint c = code_point_before(text, text.size());
      if (!is_space(c.value)) break;
      text.remove_suffix(c.size);
    }
    return text;
  }

  // Drops the blanks between the start of the line and a block tag when nothing else stands there.
  std::string_view without_indent(std::string_view text, size_t begin) const {
    const size_t line_start = text.rfind('\n') + 1;
    const bool starts_line = line_start > 0 || begin == 0 || source_[begin - 1] == '\n';
    if (!starts_line || !right_stripped(text.substr(line_start)).empty()) return text;
    return text.substr(0, line_start);
  }

  Result<void> lex_comment(Position tag) {
    if (at_ == source_.size()) return {};  // Jinja forgives a tag that nothing follows
    const size_t close = source_.find("#}", at_);
    if (close == std::string::npos) return fail_at(tag, "the comment is not closed by '#}}'");
    const char sign = close > at_ ? source_[close - 1] : '\0';
    at_ = close + 2;
    leave_block(sign);
    return {};
  }

  // After a block or comment tag: '-' eats whitespace, '+' nothing, otherwise one newline goes.
  void leave_block(char sign) {
    if (sign == '-') {
      skip_whitespace();
    } else if (sign != '+' && looking_at("\n")) {
      ++at_;
    }
  }

  // Recognises "raw %}" after "{%" and its sign; moves past it only when it is there.
  bool lex_raw_begin(bool has_sign) {
    const size_t start = at_;
    if (has_sign) ++at_;
    skip_whitespace();
    if (looking_at("raw")) {
      at_ += 3;
      skip_whitespace();
      if (looking_at("-%}")) {
        at_ += 3;
        skip_whitespace();
        return true;
      }
      if (looking_at("%}")) {
        at_ += 2;
        return true;
      }
    }
    at_ = start;
    return false;
  }

  Result<void> lex_raw(Position tag) {
    const size_t begin = at_;
    if (begin == source_.size()) return {};
    for (size_t open = source_.find("{%", begin); open != std::string::npos;
         open = source_.find("{%", open + 1)) {
      at_ = open + 2;
      const char sign = looking_at("-") || looking_at("+") ? source_[at_++] : '\0';
      skip_whitespace();
      if (!looking_at("endraw")) continue;
      at_ += 6;
      skip_whitespace();
      const char end_sign = looking_at("-%}") || looking_at("+%}") ? source_[at_++] : '\0';
      if (!looking_at("%}")) continue;
      const size_t after = at_ + 2;
      add_data(begin, open, sign, false);
      at_ = after;
      leave_block(end_sign);
      return {};
    }
    return fail_at(tag, "the raw block is not closed by '{{% endraw %}}'");
  }

  Result<void> lex_tag(bool block, Position tag) {
    const std::string_view end = block ? "%}" : "}}";
    std::string open;  // the closing brackets still to come
    while (true) {
      skip_whitespace();
      if (at_ >= source_.size()) {
        return fail_at(tag, "the tag is not closed by '{}'", end);
      }
      if (open.empty() && lex_tag_end(block, end)) return {};
      TRY(lex_token(open));
    }
  }

  bool lex_tag_end(bool block, std::string_view end) {
    const size_t start = at_;
    const bool signed_end = rest().size() > 2 && rest().substr(1).starts_with(end) &&
                            (source_[at_] == '-' || (block && source_[at_] == '+'));
    const char sign = signed_end ? source_[at_] : '\0';
    if (!signed_end && !looking_at(end)) return false;
    at_ += signed_end ? 3 : 2;
    add(block ? TokenType::kBlockEnd : TokenType::kVariableEnd, "", start);
    if (block) {
      leave_block(sign);
    } else if (sign == '-') {
      skip_whitespace();
    }
    return true;
  }

  Result<void> lex_token(std::string& open) {
    const CodePoint c = code_point_at(source_, at_);
    if (is_digit(c.value)) return lex_number();
    if (is_name_character(c.value, true)) {
      const size_t start = at_;
      while (at_ < source_.size()) {
        const CodePoint next = code_point_at(source_, at_);
        if (!is_name_character(next.value, false)) break;
        at_ += next.size;
      }
      add(TokenType::kName, std::string_view(source_).substr(start, at_ - start), start);
      return {};
    }
    if (c.value == '\'' || c.value == '"') return lex_string();
    return lex_operator(open);
  }

  Result<void> lex_string() {
    const size_t start = at_;
    const char quote = source_[at_++];
    while (at_ < source_.size() && source_[at_] != quote) at_ += source_[at_] == '\\' ? 2 : 1;
    if (at_ >= source_.size()) return fail_at(position_of(start), "the string is not closed");
    const Position where = position_of(start);
    auto value = unescape(std::string_view(source_).substr(start + 1, at_ - start - 1));
    if (!value) return fail_at(where, "{}", value.error().message);
    ++at_;
    tokens_.push_back({TokenType::kString, std::move(*value), where});
    return {};
  }

  size_t digits_from(size_t from) const {
    size_t end = from;
    while (end < source_.size() &&
           (is_digit_byte(source_[end]) || (source_[end] == '_' && end > from && end + 1 < source_.size() &&
                                            is_digit_byte(source_[end + 1])))) {
      ++end;
    }
    return end;
  }

  Result<void> lex_number() {
    const size_t start = at_;
    size_t end = digits_from(start);
    bool is_float = false;
    const bool after_dot = !tokens_.empty() && tokens_.back().is_operator(".");
    if (!after_dot && end + 1 < source_.size() && source_[end] == '.' && is_digit_byte(source_[end + 1])) {
      end = digits_from(end + 1);
      is_float = true;
    }
    if (!after_dot && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t sign = end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
      const size_t exponent = end + 1 + sign;
      if (exponent < source_.size() && is_digit_byte(source_[exponent])) {
        end = digits_from(exponent);
        is_float = true;
      }
    }
    std::string digits = source_.substr(start, end - start);
    std::erase(digits, '_');
    at_ = end;
    add(is_float ? TokenType::kFloat : TokenType::kInteger, digits, start);
    return {};
  }

  Result<void> lex_operator(std::string& open) {
    const size_t start = at_;
    std::string_view op;
    for (std::string_view candidate : kOperators) {
      if (looking_at(candidate)) {
        op = candidate;
        break;
      }
    }
    if (op.empty() && kPunctuation.contains(source_[at_])) op = rest().substr(0, 1);
    if (op.empty()) {
      const CodePoint c = code_point_at(source_, at_);
      return fail_at(position_of(start), "unexpected character '{}'", rest().substr(0, c.size));
    }
    if (op == "(") open.push_back(')');
    if (op == "[") open.push_back(']');
    if (op == "{") open.push_back('}');
    if (op == ")" || op == "]" || op == "}") {
      if (open.empty()) return fail_at(position_of(start), "unexpected '{}'", op);
      if (open.back() != op[0])
        return fail_at(position_of(start), "unexpected '{}', expected '{}'", op, open.back());
      open.pop_back();
    }
    at_ += op.size();
    add(TokenType::kOperator, op, start);
    return {};
  }

  const std::string source_;
  size_t at_ = 0;
  size_t known_offset_ = 0;
  Position known_;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
  if (!is_valid_utf8(source)) return fail(ErrorCode::kInvalidArgument, "the template is not valid UTF-8");
  return Lexer(source).run();
}

std::string describe(const Token& token) {
  switch (token.type) {
    case TokenType::kData:
      return "text";
    case TokenType::kVariableBegin:
      return "'{{'";
    case TokenType::kVariableEnd:
      return "'}}'";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kString:
      return "a string";
    case TokenType::kEnd:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

}  // namespace feilun::jinja
