#include "model/tokenizer_spec.h"

#include <algorithm>

#include "model/sentence_piece.h"
#include "model/tokenizer_pipeline.h"

namespace feilun::model {
namespace {

Result<> check_id(TokenId id, size_t count, std::string_view what) {
  if (id >= -1 && id < static_cast<int64_t>(count)) return {};
  return fail(ErrorCode::kCorrupt, "the {} token is {}, but there are {} tokens", what, id, count);
}

/// ▁ for a space, in the normaliser or in the words, and one before the text at most.
bool has_plain_marks(const TokenizerSpec& spec) {
  if (!spec.steps_are_complete) return true;
  const auto& steps = spec.normaliser;
  if (steps.empty()) return spec.words.size() == 1 && spec.words[0].kind == WordStep::Kind::kSpaceMarks;
  const NormaliserStep& last = steps.back();
  const bool replaces =
      last.kind == NormaliserStep::Kind::kReplaceText && last.from == " " && last.to == kSpaceMark;
  const bool prefixed =
      steps.size() == 2 && steps[0].kind == NormaliserStep::Kind::kPrepend && steps[0].to == kSpaceMark;
  const bool cuts = std::ranges::any_of(spec.words, [](const WordStep& step) {
    return step.kind != WordStep::Kind::kText ||
           step.text != " ";  // after replacing there is no space to cut at
  });
  return replaces && (steps.size() == 1 || prefixed) && !cuts;
}

}  // namespace

TokenId find_token(const TokenizerSpec& spec, std::string_view text) {
  const auto found = std::ranges::find(spec.tokens, text);
  return found == spec.tokens.end() || text.empty() ? -1 : static_cast<TokenId>(found - spec.tokens.begin());
}

Result<> check_fits_gguf(const TokenizerSpec& spec) {
  using Family = TokenizerSpec::Family;
  const bool byte_level = spec.family == Family::kByteLevel;
  if (byte_level ? !spec.pre.empty() : spec.family == Family::kSentencePiece && has_plain_marks(spec))
    return {};
  return fail(ErrorCode::kUnsupported, "a GGUF cannot say how this tokenizer {}",
              byte_level ? "cuts words" : "normalises and cuts text");
}

std::pair<std::string, std::string> split_merge(std::string_view line) {
  const size_t space = line.find(' ', 1);
  if (space == line.npos) return {};
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec, int vocabulary) {
  const size_t count = spec.tokens.size();
  if (count == 0) return fail(ErrorCode::kCorrupt, "the tokenizer has no tokens");
  if (count > static_cast<size_t>(vocabulary)) {
    return fail(ErrorCode::kCorrupt, "the tokenizer has {} tokens, but the model only {} rows for them",
                count, vocabulary);
  }
  if (spec.kinds.empty()) spec.kinds.assign(count, TokenKind::kNormal);
  if (spec.kinds.size() != count) {
    return fail(ErrorCode::kCorrupt, "the tokenizer has {} token types for {} tokens", spec.kinds.size(),
                count);
  }
  TRY(check_id(spec.bos, count, "BOS"));
  TRY(check_id(spec.eos, count, "EOS"));
  TRY(check_id(spec.unknown, count, "unknown"));
  for (const TokenId id : spec.frame_begin) TRY(check_id(id, count, "first"));
  for (const TokenId id : spec.frame_end) TRY(check_id(id, count, "last"));
  std::erase(spec.frame_begin, -1);
  std::erase(spec.frame_end, -1);
  spec.tokens.resize(static_cast<size_t>(vocabulary));
  spec.kinds.resize(static_cast<size_t>(vocabulary), TokenKind::kUnused);
  if (!spec.scores.empty()) spec.scores.resize(static_cast<size_t>(vocabulary), 0.0f);
  return TokenizerPipeline::make(std::move(spec));
}

}  // namespace feilun::model
