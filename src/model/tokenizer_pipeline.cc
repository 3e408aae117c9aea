#include "model/tokenizer_pipeline.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/check.h"
#include "model/byte_level_alphabet.h"
#include "model/pretokenizer_families.h"
#include "model/sentence_piece.h"
#include "model/tokenizer_cache.h"

namespace feilun::model {
namespace {

using Family = TokenizerSpec::Family;

bool is_added(TokenKind kind) {
  return kind == TokenKind::kControl || kind == TokenKind::kUserDefined || kind == TokenKind::kUnknown;
}

/// <|fim_prefix|>, <｜User｜>, and some by name: files do not always say of them that they are control
/// tokens, but in a message's content they would end it.
bool looks_like_control(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNames = {"<s>", "</s>", "<start_of_turn>", "<end_of_turn>"};
  if (std::ranges::find(kNames, text) != kNames.end()) return true;
  const auto between = [text](std::string_view begin, std::string_view end) {
    return text.size() > begin.size() + end.size() && text.starts_with(begin) && text.ends_with(end);
  };
  return between("<|", "|>") || between("<｜", "｜>");
}

/// What a word-piece token reads as in the middle of a text: a word's first piece after a space.
std::string word_piece_text(std::string_view piece) {
  return piece.starts_with("##") ? std::string(piece.substr(2)) : " " + std::string(piece);
}

MadeEncoder make_encoder(const TokenizerSpec& spec, const TokenizerPieces& pieces) {
  switch (spec.family) {
    case Family::kByteLevel:
      return make_byte_level_bpe(spec, pieces);
    case Family::kSentencePiece:
      return make_sentence_piece_bpe(spec, pieces);
    case Family::kUnigram:
      return make_unigram(spec, pieces);
    case Family::kWordPiece:
      return make_word_piece(spec, pieces);
  }
  return fail(ErrorCode::kUnsupported, "the tokenizer is of an unknown family");
}

uint32_t next_number() {
  static std::atomic<uint32_t> last = 0;
  return ++last;
}

}  // namespace

void TokenizerPipeline::take_pieces(TokenizerSpec& spec) {
  pieces_.kinds = std::move(spec.kinds);
  pieces_.pieces = std::move(spec.tokens);
  if (spec.family != Family::kByteLevel) pieces_.texts = pieces_.pieces;
  for (size_t i = 0; i < pieces_.kinds.size(); ++i) {
    const TokenKind kind = pieces_.kinds[i];
    if (kind == TokenKind::kByte) {
      const int byte = named_byte(pieces_.pieces[i]);
      std::string& text = pieces_.texts.empty() ? pieces_.pieces[i] : pieces_.texts[i];
      text = byte < 0 ? std::string() : std::string(1, static_cast<char>(byte));
    }
    if (kind != TokenKind::kNormal) continue;
    switch (spec.family) {
      case Family::kByteLevel:
        pieces_.pieces[i] = from_printable_bytes(pieces_.pieces[i]);
        break;
      case Family::kWordPiece:
        pieces_.texts[i] = word_piece_text(pieces_.pieces[i]);
        break;
      case Family::kSentencePiece:
      case Family::kUnigram:
        pieces_.texts[i] = without_space_marks(pieces_.pieces[i]);
        break;
    }
  }
}

/// What only trusted text may bring is looked for in the text as it comes even where its normalised text is
/// asked for: after normalising nobody knows any more which bytes were trusted.
void TokenizerPipeline::find_added(const TokenizerSpec& spec) {
  for (size_t i = 0; i < pieces_.kinds.size(); ++i) {
    const TokenKind kind = pieces_.kinds[i];
    if (!is_added(kind)) continue;
    const auto id = static_cast<TokenId>(i);
    const auto found = spec.added_rules.find(id);
    const AddedTokenRule rule = found == spec.added_rules.end() ? AddedTokenRule() : found->second;
    const std::string& text = pieces_.pieces[i];
    const bool frames = id == spec.bos || id == spec.eos || looks_like_control(text);
    const bool trusted_only = kind != TokenKind::kUserDefined || frames;
    if (!trusted_only && rule.normalised && !normaliser_.changes_nothing()) {
      normalised_added_.add(normaliser_.apply(text), id, false, rule);
    } else {
      added_.add(text, id, trusted_only, rule);
    }
  }
}

Result<> TokenizerPipeline::choose_words(TokenizerSpec& spec) {
  const bool by_name = spec.family == Family::kByteLevel && !spec.steps_are_complete;
  if (by_name) {
    const WordFamily* family = TRY(find_word_family(spec.pre));
    for (const std::string_view pattern : family->patterns) {
      spec.words.push_back({.text = std::string(pattern)});
    }
    if (family->nfc) spec.normaliser.push_back({NormaliserStep::Kind::kNfc});
    spec.whole_words = spec.whole_words || family->whole_words;
  }
  const bool marks = spec.family == Family::kSentencePiece || spec.family == Family::kUnigram;
  if (marks && !spec.steps_are_complete) {
    if (spec.dummy_prefix) {
      spec.normaliser.push_back({NormaliserStep::Kind::kPrepend, "", std::string(kSpaceMark)});
    }
    spec.normaliser.push_back({NormaliserStep::Kind::kReplaceText, " ", std::string(kSpaceMark)});
  }
  if (spec.family == Family::kSentencePiece && words_begin_with_marks(pieces_)) {
    spec.words.push_back({.kind = WordStep::Kind::kMarkRuns});
  }
  normaliser_ = TRY(TextNormaliser::make(std::move(spec.normaliser)));
  words_ = TRY(PreTokenizer::make(std::move(spec.words)));
  return {};
}

Result<std::shared_ptr<const Tokenizer>> TokenizerPipeline::make(TokenizerSpec spec) {
  std::shared_ptr<TokenizerPipeline> made(new TokenizerPipeline());
  made->take_pieces(spec);
  TRY(made->choose_words(spec));
  made->find_added(spec);
  made->encoder_ = TRY(make_encoder(spec, made->pieces_));
  made->frame_begin_ = std::move(spec.frame_begin);
  made->frame_end_ = std::move(spec.frame_end);
  made->bos_ = spec.add_bos ? spec.bos : -1;
  made->strips_leading_space_ =
      spec.dummy_prefix || spec.strips_leading_space || spec.family == Family::kWordPiece;
  made->number_ = next_number();
  return made;
}

std::vector<TokenId> TokenizerPipeline::encode(std::span<const PromptFragment> fragments, size_t most) const {
  JoinedPrompt prompt(fragments);
  std::vector<TokenId> out;
  for (const PromptSegment& segment : added_.split(prompt)) {
    encode_segment(segment, segment.text.data() == prompt.text().data(), most, out);
    if (out.size() > most) break;
  }
  return out;
}

void TokenizerPipeline::encode_segment(const PromptSegment& segment, bool at_start, size_t most,
                                       std::vector<TokenId>& out) const {
  if (segment.token >= 0) return out.push_back(segment.token);
  if (normaliser_.changes_nothing()) return encode_words(segment.text, at_start, most, out);
  const std::string text = normaliser_.apply(segment.text);
  if (normalised_added_.empty()) return encode_words(text, at_start, most, out);
  for (const PromptSegment& part : normalised_added_.split(std::string_view(text))) {
    if (part.token >= 0) {
      out.push_back(part.token);
    } else {
      encode_words(part.text, at_start && part.text.data() == text.data(), most, out);
    }
    if (out.size() > most) break;
  }
}

void TokenizerPipeline::encode_words(std::string_view text, bool at_start, size_t most,
                                     std::vector<TokenId>& out) const {
  WordCache& cache = WordCache::of_thread();
  words_.split(text, at_start, [&](std::string_view word) {
    if (cache.append(number_, word, out)) return out.size() <= most;
    const size_t before = out.size();
    if (word.size() > most - before && encoder_->exceeds(word, most - before)) {
      out.resize(most + 1);
      return false;
    }
    encoder_->encode(word, out);
    cache.keep(number_, word, std::span(out).subspan(before));
    return out.size() <= most;
  });
}

std::vector<TokenId> TokenizerPipeline::framed(std::vector<TokenId> tokens) const {
  tokens.insert(tokens.begin(), frame_begin_.begin(), frame_begin_.end());
  tokens.insert(tokens.end(), frame_end_.begin(), frame_end_.end());
  return tokens;
}

std::string_view TokenizerPipeline::bytes(TokenId id) const {
  return is_control(id) ? std::string_view() : text(id);
}

std::string_view TokenizerPipeline::text(TokenId id) const {
  CHECK(id >= 0 && id < vocabulary_size());
  return (pieces_.texts.empty() ? pieces_.pieces : pieces_.texts)[static_cast<size_t>(id)];
}

bool TokenizerPipeline::is_control(TokenId id) const {
  CHECK(id >= 0 && id < vocabulary_size());
  const TokenKind kind = pieces_.kinds[static_cast<size_t>(id)];
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown;
}

}  // namespace feilun::model
