#include <algorithm>
#include <array>

#include "model/pretokenizer_pattern.h"
#include "model/tokenizer_unicode.h"

// tokenizer.json's patterns are written for Oniguruma with Ruby's rules. Most of them mean the same to PCRE2;
// this file rewrites what does not (white space, word characters, scripts, line ends, class intersections)
// and refuses whatever it does not know to be the same.

namespace feilun::model {
namespace {

/// White space as Unicode has it, for use inside a bracket: PCRE2's own \s has U+180E besides.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kDigits = R"(\p{Nd})";
constexpr std::string_view kWord = R"(\p{L}\p{M}\p{Nd}\p{Pc})";

/// What may follow "(?".
constexpr std::array<std::string_view, 8> kGroups = {":", "=", "!", ">", "<=", "<!", "i:", "i)"};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Translation {
 public:
  explicit Translation(std::string_view pattern) : rest_(pattern), whole_(pattern) {}

  Result<std::string> run() {
    while (!rest_.empty()) TRY(step());
    return std::move(out_);
  }

 private:
  std::unexpected<Error> refuse(std::string_view what) const {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer's word pattern {} uses {}, which this version does not know", whole_, what);
  }

  std::string_view take(size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  Result<> step() {
    switch (rest_[0]) {
      case '\\':
        return escape(false);
      case '[':
        return bracket();
      case '(':
        return group();
      case '{':
        return repetition();
      case '$':
        out_ += R"((?=\n|\z))";
        break;
      case '^':
        out_ += R"((?:\A|(?<=\n)))";
        break;
      default:
        out_ += take(1);
        return {};
    }
    take(1);
    return {};
  }

  Result<> group() {
    if (rest_.starts_with("(*")) return refuse("a verb");
    if (!rest_.starts_with("(?")) {
      out_ += take(1);
      return {};
    }
    for (const std::string_view known : kGroups) {
      if (!rest_.substr(2).starts_with(known)) continue;
      out_ += take(2 + known.size());
      return {};
    }
    return refuse(rest_.substr(0, 4));
  }

  /// {n}, {n,}, {,m} or {n,m}; any other brace is itself. A following + repeats it in Ruby, and makes it
  /// possessive in PCRE2; after {n} a ? makes it optional in Ruby, and lazy in PCRE2.
  Result<> repetition() {
    const size_t end = rest_.find_first_not_of("0123456789,", 1);
    const bool closes = end != rest_.npos && rest_[end] == '}';
    const std::string_view counts = closes ? rest_.substr(1, end - 1) : std::string_view();
    const auto commas = std::ranges::count(counts, ',');
    if (commas > 1 || counts.size() == static_cast<size_t>(commas)) {
      out_ += "\\{";
      take(1);
      return {};
    }
    // PCRE2 takes {,m} as a text until version 10.43.
    out_ += counts[0] == ',' ? "{0" : "{";
    out_ += counts;
    out_ += '}';
    take(end + 1);
    if (rest_.starts_with('+') || (commas == 0 && rest_.starts_with('?')))
      return refuse("a repeated repetition");
    return {};
  }

  /// [abc], or [abc&&[^def]], which PCRE2 does not have: (?:(?![def])[abc]).
  Result<> bracket() {
    std::string before;
    std::swap(before, out_);
    TRY(class_items());
    if (!rest_.starts_with("&&[^")) {
      if (!rest_.starts_with(']')) return refuse("a class inside a class");
      take(1);
      out_ = before + out_ + "]";
      return {};
    }
    take(2);
    std::string wanted;
    std::swap(wanted, out_);
    TRY(class_items());
    if (!rest_.starts_with("]]")) return refuse("a class inside a class");
    take(2);
    // The second class is negated: what it names must not come.
    out_ = before + "(?:(?=" + out_ + "])" + wanted + "])";
    return {};
  }

  /// From the opening bracket to before the closing one, or before "&&".
  Result<> class_items() {
    out_ += take(rest_.starts_with("[^") ? 2 : 1);
    bool is_first = true;
    while (!rest_.empty()) {
      if (rest_.starts_with("&&") || (rest_[0] == ']' && !is_first)) return {};
      if (rest_[0] == '[') return refuse("a class inside a class");
      if (rest_[0] == ']') return refuse("an empty class");
      is_first = false;
      if (rest_[0] == '\\') {
        TRY(escape(true));
      } else {
        out_ += take(1);
      }
    }
    return refuse("a class without an end");
  }

  Result<> escape(bool in_class) {
    if (rest_.size() < 2) return refuse("a lone backslash");
    const char c = rest_[1];
    if (!is_letter_or_digit(c)) {
      out_ += take(2);
      return {};
    }
    switch (c) {
      case 's':
        return shorthand(kSpaces, false, in_class);
      case 'S':
        return shorthand(kSpaces, true, in_class);
      case 'd':
        return shorthand(kDigits, false, in_class);
      case 'D':
        return shorthand(kDigits, true, in_class);
      case 'w':
        return shorthand(kWord, false, in_class);
      case 'W':
        return shorthand(kWord, true, in_class);
      case 'p':
      case 'P':
        return property();
      case 'x':
      case 'u':
        return code_point();
      case 'v':
        take(2);
        out_ += R"(\x{b})";
        return {};
      default:
        break;
    }
    const std::string_view same = in_class ? "nrtfae" : "nrtfaebBAz";
    if (same.find(c) == same.npos) return refuse(rest_.substr(0, 2));
    out_ += take(2);
    return {};
  }

  Result<> shorthand(std::string_view items, bool negated, bool in_class) {
    if (in_class && negated) return refuse(std::string("[") + std::string(take(2)) + "]");
    take(2);
    if (!in_class) out_ += negated ? "[^" : "[";
    out_ += items;
    if (!in_class) out_ += ']';
    return {};
  }

  /// A name longer than a category's is a script's; PCRE2 would take it for the script's extensions.
  Result<> property() {
    const size_t end = rest_.find('}');
    if (rest_.size() < 4 || rest_[2] != '{' || end == rest_.npos) return refuse("a property without braces");
    const std::string_view head = take(3);
    std::string_view name = take(end - 3);
    take(1);
    out_ += head;
    if (name.starts_with('^')) {
      out_ += '^';
      name.remove_prefix(1);
    }
    if (name.size() > 2 && name != "Any") out_ += "sc:";
    out_ += name;
    out_ += '}';
    return {};
  }

  /// \xHH, \x{H…}, \uHHHH.
  Result<> code_point() {
    const bool braces = rest_.substr(1).starts_with("x{");
    const size_t begin = braces ? 3 : 2;
    const size_t digits_max = braces ? 6 : rest_[1] == 'x' ? 2 : 4;
    size_t end = begin;
    while (end < rest_.size() && end - begin < digits_max && is_hex(rest_[end])) ++end;
    const bool good = braces ? end > begin && rest_.substr(end).starts_with('}') : end - begin == digits_max;
    if (!good) return refuse("an unfinished code point");
    out_ += R"(\x{)";
    out_ += rest_.substr(begin, end - begin);
    out_ += '}';
    take(end + (braces ? 1 : 0));
    return {};
  }

  std::string out_;
  std::string_view rest_;
  std::string_view whole_;
};

}  // namespace

Result<std::string> pcre2_pattern(std::string_view pattern) {
  if (well_formed_start(pattern).size() != pattern.size() || pattern.find('\0') != pattern.npos) {
    return fail(ErrorCode::kUnsupported, "the tokenizer's word pattern is not text");
  }
  return Translation(pattern).run();
}

}  // namespace feilun::model
