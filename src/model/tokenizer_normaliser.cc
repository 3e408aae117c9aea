#include "model/tokenizer_normaliser.h"

#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

using Kind = NormaliserStep::Kind;

/// Calls `rune(code point, its bytes)` for each and copies what is not UTF-8.
template <typename Rune>
std::string rewrite(std::string_view text, Rune rune) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t size = code_point_bytes(text);
    if (size == 0) {
      out += text[0];
    } else {
      rune(rune_of(text.substr(0, size)), text.substr(0, size), out);
    }
    text.remove_prefix(std::max<size_t>(1, size));
  }
  return out;
}

template <typename Drop>
std::string without(std::string_view text, Drop drop) {
  return rewrite(text, [&](char32_t rune, std::string_view bytes, std::string& out) {
    if (!drop(rune)) out += bytes;
  });
}

bool is_plain_blank(char32_t rune) {
  return rune == '\t' || rune == '\n' || rune == '\r';
}

std::string clean(std::string_view text) {
  return rewrite(text, [](char32_t rune, std::string_view bytes, std::string& out) {
    const bool blank = is_plain_blank(rune);
    if (rune == 0 || rune == 0xfffd || (!blank && is_control_rune(rune))) return;
    out += blank || is_white_space(rune) ? std::string_view(" ") : bytes;
  });
}

/// The blocks that BERT takes for Chinese characters.
bool is_ideograph(char32_t rune) {
  return (rune >= 0x4e00 && rune <= 0x9fff) || (rune >= 0x3400 && rune <= 0x4dbf) ||
         (rune >= 0x20000 && rune <= 0x2a6df) || (rune >= 0x2a700 && rune <= 0x2b73f) ||
         (rune >= 0x2b740 && rune <= 0x2b81f) || (rune >= 0x2b920 && rune <= 0x2ceaf) ||
         (rune >= 0xf900 && rune <= 0xfaff) || (rune >= 0x2f800 && rune <= 0x2fa1f);
}

std::string space_ideographs(std::string_view text) {
  return rewrite(text, [](char32_t rune, std::string_view bytes, std::string& out) {
    if (!is_ideograph(rune)) {
      out += bytes;
      return;
    }
    out += ' ';
    out += bytes;
    out += ' ';
  });
}

std::string strip_start(std::string_view text) {
  for (size_t size = code_point_bytes(text); size > 0 && is_white_space(rune_of(text.substr(0, size)));
       size = code_point_bytes(text)) {
    text.remove_prefix(size);
  }
  return std::string(text);
}

std::string strip_end(std::string_view text) {
  size_t end = 0;  // after the last code point that is not white space
  for (size_t at = 0; at < text.size();) {
    const size_t size = code_point_bytes(text.substr(at));
    const bool blank = size > 0 && is_white_space(rune_of(text.substr(at, size)));
    at += std::max<size_t>(1, size);
    if (!blank) end = at;
  }
  return std::string(text.substr(0, end));
}

std::string replace_text(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  size_t done = 0;
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, done)) {
    out += text.substr(done, at - done);
    out += to;
    done = at + from.size();
  }
  return out += text.substr(done);
}

std::string replace_pattern(std::string_view text, const WordPattern& pattern, std::string_view to) {
  std::string out;
  WordSearch search(pattern, text.size());
  while (!text.empty()) {
    const std::string_view good = well_formed_start(text);
    size_t done = 0;
    while (const auto found = search.find(good, done)) {
      out += good.substr(done, found->begin - done);
      out += to;
      done = found->end;
    }
    out += good.substr(done);
    text.remove_prefix(good.size());
    if (text.empty()) break;
    out += text[0];
    text.remove_prefix(1);
  }
  return out;
}

std::string apply_step(const NormaliserStep& step, const WordPattern* pattern, std::string_view text) {
  switch (step.kind) {
    case Kind::kNfc:
      return normalise(text, NormalForm::kNfc);
    case Kind::kNfd:
      return normalise(text, NormalForm::kNfd);
    case Kind::kNfkc:
      return normalise(text, NormalForm::kNfkc);
    case Kind::kNfkd:
      return normalise(text, NormalForm::kNfkd);
    case Kind::kLowercase:
      return lowercase(text);
    case Kind::kDropMarks:
      return without(text, is_mark);
    case Kind::kDropNonspacingMarks:
      return without(text, is_nonspacing_mark);
    case Kind::kCleanText:
      return clean(text);
    case Kind::kSpaceIdeographs:
      return space_ideographs(text);
    case Kind::kPrepend:
      return text.empty() ? std::string() : step.to + std::string(text);
    case Kind::kReplaceText:
      return replace_text(text, step.from, step.to);
    case Kind::kReplacePattern:
      return replace_pattern(text, *pattern, step.to);
    case Kind::kStripStart:
      return strip_start(text);
    case Kind::kStripEnd:
      return strip_end(text);
  }
  return std::string(text);
}

/// A file may ask for replacements of replacements: what comes out must stay in proportion to what goes in.
Result<> check_growth(std::span<const NormaliserStep> steps) {
  constexpr size_t kGrowthMax = 64;
  constexpr size_t kStepsMax = 32;
  size_t growth = 1;
  for (const NormaliserStep& step : steps) {
    const size_t matched = step.kind == Kind::kReplaceText ? std::max<size_t>(1, step.from.size()) : 1;
    growth *= std::max<size_t>(1, std::min(step.to.size(), kGrowthMax * matched + matched) / matched);
    if (growth > kGrowthMax) break;
  }
  if (growth <= kGrowthMax && steps.size() <= kStepsMax) return {};
  return fail(ErrorCode::kUnsupported, "the tokenizer's normaliser makes texts more than {} times longer",
              kGrowthMax);
}

}  // namespace

Result<TextNormaliser> TextNormaliser::make(std::vector<NormaliserStep> steps) {
  TextNormaliser made;
  TRY(check_growth(steps));
  for (const NormaliserStep& step : steps) {
    if (step.kind == Kind::kReplaceText && step.from.empty()) {
      return fail(ErrorCode::kUnsupported, "the tokenizer's normaliser replaces the empty text");
    }
    made.patterns_.push_back(step.kind == Kind::kReplacePattern
                                 ? TRY(WordPattern::make(step.from, WordPattern::Source::kFile))
                                 : nullptr);
  }
  made.steps_ = std::move(steps);
  return made;
}

std::string TextNormaliser::apply(std::string_view text) const {
  std::string done(text);
  for (size_t i = 0; i < steps_.size(); ++i) done = apply_step(steps_[i], patterns_[i].get(), done);
  return done;
}

}  // namespace feilun::model
