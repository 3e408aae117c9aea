#include "model/pretokenizer.h"

#include <string>

#include "model/pretokenizer_families.h"
#include "model/sentence_piece.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

using Kind = WordStep::Kind;
using Matches = WordStep::Matches;
using Pieces = PreTokenizer::Word;

constexpr size_t kStepsMax = 32;

/// SentencePiece's writing of a text.
std::string with_space_marks(const WordStep& step, std::string_view text, bool at_start) {
  std::string out;
  out.reserve(text.size() + kSpaceMark.size());
  const bool wants_prefix =
      step.prefix == WordStep::Prefix::kAlways || (step.prefix == WordStep::Prefix::kFirst && at_start);
  if (wants_prefix && !text.starts_with(' ') && !text.starts_with(kSpaceMark)) out += kSpaceMark;
  for (const char c : text) {
    if (c == ' ') {
      out += kSpaceMark;
    } else {
      out += c;
    }
  }
  return out;
}

/// Cuts before each ▁; with `runs` only before those that follow something else.
bool cut_at_marks(std::string_view text, bool runs, const Pieces& piece) {
  size_t done = 0;
  for (size_t at = text.find(kSpaceMark); at != text.npos;
       at = text.find(kSpaceMark, at + kSpaceMark.size())) {
    if (at == done || (runs && text.substr(done, at - done).ends_with(kSpaceMark))) continue;
    if (!piece(text.substr(done, at - done))) return false;
    done = at;
  }
  return done == text.size() || piece(text.substr(done));
}

/// Pieces of a text by the matches in it, in one of tokenizer.json's ways of treating them.
class Cutter {
 public:
  Cutter(std::string_view text, Matches matches, const Pieces& piece)
      : text_(text), matches_(matches), piece_(piece) {}

  void match(ByteRange range) {
    switch (matches_) {
      case Matches::kApart:
        emit(done_, range.begin);
        emit(range.begin, range.end);
        break;
      case Matches::kDropped:
        emit(done_, range.begin);
        break;
      case Matches::kKept:
        emit(range.begin, range.end);
        break;
      case Matches::kWithPrevious:
        emit(done_, range.end);
        break;
      case Matches::kJoined:
        if (range.begin == done_ && was_match_) break;
        emit(begin_, done_);
        emit(done_, range.begin);
        begin_ = range.begin;
        break;
      case Matches::kWithNext:
        emit(begin_, range.begin);
        begin_ = range.begin;
        break;
    }
    done_ = range.end;
    was_match_ = true;
  }

  /// False once a piece was the last that is wanted.
  bool goes_on() const { return goes_on_; }

  void finish() {
    if (matches_ == Matches::kKept) return;
    if (matches_ == Matches::kWithNext) return emit(begin_, text_.size());
    if (matches_ == Matches::kJoined) emit(begin_, done_);
    emit(done_, text_.size());
  }

 private:
  void emit(size_t begin, size_t end) {
    if (end > begin && goes_on_) goes_on_ = piece_(text_.substr(begin, end - begin));
  }

  std::string_view text_;
  Matches matches_;
  const Pieces& piece_;
  size_t done_ = 0;   // the end of the last match
  size_t begin_ = 0;  // what is gathered and not yet a piece
  bool was_match_ = false;
  bool goes_on_ = true;
};

}  // namespace

struct PreTokenizer::Scratch {
  std::optional<WordSearch> search;
};

Result<PreTokenizer> PreTokenizer::make(std::vector<WordStep> steps) {
  PreTokenizer made;
  if (steps.size() > kStepsMax) {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer cuts words in {} steps, and {} are the most that this version takes",
                steps.size(), kStepsMax);
  }
  for (const WordStep& step : steps) {
    if (step.kind == Kind::kText && step.text.empty()) {
      return fail(ErrorCode::kUnsupported, "the tokenizer cuts words at the empty text");
    }
    std::unique_ptr<WordPattern> pattern;
    if (step.kind == Kind::kPattern) {
      const std::string_view known = linear_pattern(step.text);
      pattern = TRY(known.empty() ? WordPattern::make(step.text, WordPattern::Source::kFile)
                                  : WordPattern::make(known, WordPattern::Source::kOurs));
    }
    made.patterns_.push_back(std::move(pattern));
  }
  made.steps_ = std::move(steps);
  return made;
}

void PreTokenizer::split(std::string_view text, bool at_start, const Word& word) const {
  std::vector<Scratch> scratch(steps_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (patterns_[i] != nullptr) scratch[i].search.emplace(*patterns_[i], text.size());
  }
  while (!text.empty()) {
    const std::string_view good = well_formed_start(text);
    if (!good.empty() && !run(0, good, at_start, scratch, word)) return;
    text.remove_prefix(good.size());
    size_t bad = 0;
    while (bad < text.size() && code_point_bytes(text.substr(bad)) == 0) ++bad;
    if (bad > 0 && !word(text.substr(0, bad))) return;
    text.remove_prefix(bad);
    at_start = false;
  }
}

bool PreTokenizer::run(size_t step, std::string_view text, bool at_start, std::vector<Scratch>& scratch,
                       const Word& word) const {
  if (step == steps_.size()) return word(text);
  const WordStep& what = steps_[step];
  const auto next = [&](std::string_view piece) {
    return run(step + 1, piece, at_start && piece.data() == text.data(), scratch, word);
  };
  switch (what.kind) {
    case Kind::kPrefixSpace:
      if (text.starts_with(' ')) return next(text);
      return run(step + 1, " " + std::string(text), at_start, scratch, word);
    case Kind::kSpaceMarks: {
      const std::string marked = with_space_marks(what, text, at_start);
      if (what.cuts) return cut_at_marks(marked, false, next);
      return next(marked);
    }
    case Kind::kMarkRuns:
      return cut_at_marks(text, true, next);
    case Kind::kPattern:
    case Kind::kText:
      return cut(step, text, at_start, scratch, word);
  }
  return true;
}

bool PreTokenizer::cut(size_t step, std::string_view text, bool at_start, std::vector<Scratch>& scratch,
                       const Word& word) const {
  const WordStep& what = steps_[step];
  const Pieces next = [&](std::string_view piece) {
    return run(step + 1, piece, at_start && piece.data() == text.data(), scratch, word);
  };
  Cutter cutter(text, what.matches, next);
  if (what.kind == Kind::kText) {
    for (size_t at = text.find(what.text); at != text.npos && cutter.goes_on();
         at = text.find(what.text, at + what.text.size())) {
      cutter.match({at, at + what.text.size()});
    }
  } else {
    size_t done = 0;
    while (cutter.goes_on()) {
      const auto found = scratch[step].search->find(text, done);
      if (!found) break;
      cutter.match(*found);
      done = found->end;
    }
  }
  cutter.finish();
  return cutter.goes_on();
}

}  // namespace feilun::model
