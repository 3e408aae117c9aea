#include "model/pretokenizer_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"

// A backtracking engine may need exponential time. Patterns from files therefore run with a callout before
// every item: each is charged one step and the distance the engine has moved since the last, so that both
// backtracking and long scans are counted. A pattern that cuts words needs a few dozen steps per byte; one
// that uses up its budget finds nothing more, and the rest of the text stays in one piece. The counting costs
// speed, which the table's own patterns do not pay.

namespace feilun::model {
namespace {

constexpr size_t kPatternBytesMax = 16 << 10;
constexpr uint64_t kStepsFree = 4096;
constexpr uint64_t kStepsPerByte = 100;
constexpr uint32_t kHeapKibibytesMax = 64 << 10;
constexpr uint32_t kNestingMax = 100;

struct FreeCompileContext {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

}  // namespace

struct WordSearch::Budget {
  uint64_t steps = 0;
  size_t position = 0;
  bool exhausted = false;

  static int charge(pcre2_callout_block* block, void* self) {
    auto& budget = *static_cast<Budget*>(self);
    const size_t at = block->current_position;
    const uint64_t cost = 1 + (at > budget.position ? at - budget.position : budget.position - at);
    budget.position = at;
    budget.exhausted = budget.exhausted || cost > budget.steps;
    if (budget.exhausted) return PCRE2_ERROR_CALLOUT;
    budget.steps -= cost;
    return 0;
  }
};

void WordPattern::FreeCode::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}
void WordSearch::FreeMatch::operator()(pcre2_real_match_data_8* match) const {
  pcre2_match_data_free(match);
}
void WordSearch::FreeContext::operator()(pcre2_real_match_context_8* context) const {
  pcre2_match_context_free(context);
}

WordPattern::~WordPattern() = default;

Result<std::unique_ptr<WordPattern>> WordPattern::make(std::string_view pattern, Source source) {
  if (pattern.size() > kPatternBytesMax) {
    return fail(ErrorCode::kUnsupported, "the tokenizer's word pattern is longer than {} bytes",
                kPatternBytesMax);
  }
  const std::string translated = TRY(pcre2_pattern(pattern));
  const std::unique_ptr<pcre2_compile_context, FreeCompileContext> context(
      pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), kNestingMax);
  uint32_t options = PCRE2_UTF | PCRE2_UCP;
  if (source == Source::kFile) options |= PCRE2_AUTO_CALLOUT | PCRE2_NO_START_OPTIMIZE;
  int error = 0;
  size_t offset = 0;
  std::unique_ptr<WordPattern> made(new WordPattern(source));
  made->code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), options,
                                  &error, &offset, context.get()));
  if (made->code_ == nullptr) {
    PCRE2_UCHAR message[120] = {};
    pcre2_get_error_message(error, message, sizeof message);
    return fail(ErrorCode::kUnsupported, "the tokenizer's word pattern {} cannot be run: {}", pattern,
                reinterpret_cast<const char*>(message));
  }
  // Without JIT the interpreter does the same, more slowly.
  pcre2_jit_compile(made->code_.get(), PCRE2_JIT_COMPLETE);
  return made;
}

WordSearch::WordSearch(const WordPattern& pattern, size_t text_bytes)
    : pattern_(&pattern),
      budget_(std::make_unique<Budget>()),
      match_(pcre2_match_data_create(1, nullptr)),
      context_(pcre2_match_context_create(nullptr)) {
  CHECK(match_ != nullptr && context_ != nullptr);
  budget_->steps = kStepsFree + kStepsPerByte * text_bytes;
  pcre2_set_heap_limit(context_.get(), kHeapKibibytesMax);
  if (pattern.source_ == WordPattern::Source::kFile) {
    pcre2_set_callout(context_.get(), &Budget::charge, budget_.get());
  }
}

WordSearch::~WordSearch() = default;
WordSearch::WordSearch(WordSearch&&) noexcept = default;

bool WordSearch::is_exhausted() const {
  return budget_->exhausted;
}

std::optional<ByteRange> WordSearch::find(std::string_view text, size_t from) {
  if (budget_->exhausted || from >= text.size()) return std::nullopt;
  budget_->position = from;
  const auto run = [&](uint32_t options) {
    return pcre2_match(pattern_->code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | options, match_.get(), context_.get());
  };
  int found = run(0);
  // The compiled code has a small stack; the interpreter has the heap.
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = run(PCRE2_NO_JIT);
  if (found < 0) {
    budget_->exhausted = found != PCRE2_ERROR_NOMATCH;
    return std::nullopt;
  }
  const size_t* range = pcre2_get_ovector_pointer(match_.get());
  // \K is refused, but a lookahead alone may still be placed oddly; an empty or backward range is no word.
  if (range[1] <= range[0]) return std::nullopt;
  return ByteRange{range[0], range[1]};
}

}  // namespace feilun::model
