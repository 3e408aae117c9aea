#include <algorithm>
#include <array>

#include "model/gguf.h"
#include "model/gguf_model.h"
#include "model/pretokenizer_families.h"
#include "model/sentence_piece.h"

namespace feilun::model {
namespace {

using Family = TokenizerSpec::Family;
using Kind = NormaliserStep::Kind;

struct NamedFamily {
  std::string_view name;  ///< tokenizer.ggml.model
  Family family;
};

constexpr std::array kFamilies = {
    NamedFamily{"llama", Family::kSentencePiece},
    NamedFamily{"gpt2", Family::kByteLevel},
    NamedFamily{"bert", Family::kWordPiece},
    NamedFamily{"t5", Family::kUnigram},
};

Result<Family> read_family(const Gguf& gguf) {
  const auto name = TRY(gguf.string("tokenizer.ggml.model")).value_or("none");
  const auto found = std::ranges::find(kFamilies, name, &NamedFamily::name);
  if (found != kFamilies.end()) return found->family;
  return fail(ErrorCode::kUnsupported,
              "the tokenizer is of type \"{}\"; this version reads llama, gpt2, bert and t5", name);
}

Result<> read_kinds(const Gguf& gguf, TokenizerSpec& spec) {
  const auto types = TRY(gguf.integers("tokenizer.ggml.token_type"));
  if (!types) return {};
  for (const int32_t type : *types) {
    if (type < 0 || type > 6) return fail(ErrorCode::kCorrupt, "a token has the unknown type {}", type);
    spec.kinds.push_back(type == 0 ? TokenKind::kNormal : static_cast<TokenKind>(type));
  }
  return {};
}

Result<> read_merges(const Gguf& gguf, TokenizerSpec& spec) {
  const auto lines = TRY(gguf.strings("tokenizer.ggml.merges"));
  if (!lines) return {};
  for (const std::string_view line : *lines) {
    spec.merges.push_back(split_merge(line));
    if (spec.merges.back().first.empty())
      return fail(ErrorCode::kCorrupt, "a merge is not two tokens with a space between");
  }
  return {};
}

/// GGUF marks a word's first piece by ▁ where BERT marks the others by ##; what stands in brackets is
/// neither.
std::string word_piece(std::string_view token) {
  if (token.starts_with(kSpaceMark)) return std::string(token.substr(kSpaceMark.size()));
  if (token.size() > 2 && token.starts_with('[') && token.ends_with(']')) return std::string(token);
  return "##" + std::string(token);
}

Result<> finish_word_piece(const Gguf& gguf, TokenizerSpec& spec) {
  for (std::string& token : spec.tokens) token = word_piece(token);
  const bool lower = TRY(gguf.boolean("tokenizer.ggml.normalizer.lowercase")).value_or(true);
  spec.normaliser = {{Kind::kCleanText}, {Kind::kSpaceIdeographs}};
  if (TRY(gguf.boolean("tokenizer.ggml.normalizer.strip_accents")).value_or(lower)) {
    spec.normaliser.push_back({Kind::kNfd});
    spec.normaliser.push_back({Kind::kDropNonspacingMarks});
  }
  if (lower) spec.normaliser.push_back({Kind::kLowercase});
  spec.words = {{.text = std::string(kSpacesPattern), .matches = WordStep::Matches::kDropped},
                {.text = std::string(kPunctuationPattern)}};
  spec.steps_are_complete = true;
  const auto cls = TRY(gguf.integer("tokenizer.ggml.cls_token_id"));
  // The key's name is misspelt in all files.
  const auto sep = TRY(gguf.integer("tokenizer.ggml.seperator_token_id"));
  spec.frame_begin = {cls ? *cls : find_token(spec, "[CLS]")};
  spec.frame_end = {sep ? *sep : find_token(spec, "[SEP]")};
  return {};
}

/// SentencePiece's normaliser as far as a GGUF tells of it.
Result<> finish_unigram(const Gguf& gguf, TokenizerSpec& spec) {
  if (gguf.values().contains("tokenizer.ggml.precompiled_charsmap")) {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer normalises by a compiled table, which this version does not read");
  }
  const bool joins = TRY(gguf.boolean("tokenizer.ggml.remove_extra_whitespaces")).value_or(false);
  if (joins) {
    spec.normaliser.push_back({Kind::kReplacePattern, " {2,}", " "});
    spec.normaliser.push_back({Kind::kStripStart});
    spec.normaliser.push_back({Kind::kStripEnd});
  }
  spec.words = {{.kind = WordStep::Kind::kSpaceMarks,
                 .prefix = spec.dummy_prefix ? WordStep::Prefix::kAlways : WordStep::Prefix::kNever}};
  spec.steps_are_complete = true;
  return {};
}

/// Phi-3's control tokens swallow the white space after them, which a GGUF has no place to say.
Result<> add_phi3_rules(const Gguf& gguf, TokenizerSpec& spec) {
  if (TRY(gguf.string("general.architecture")).value_or("") != "phi3") return {};
  constexpr std::array<std::string_view, 3> kPlain = {"<unk>", "<s>", "<|endoftext|>"};
  for (size_t i = 0; i < std::min(spec.tokens.size(), spec.kinds.size()); ++i) {
    const bool swallows = spec.kinds[i] == TokenKind::kControl || spec.tokens[i] == "</s>";
    if (!swallows || std::ranges::find(kPlain, spec.tokens[i]) != kPlain.end()) continue;
    spec.added_rules[static_cast<TokenId>(i)].takes_space_after = true;
  }
  return {};
}

/// Whether BOS comes before a text where the file does not say.
bool family_adds_bos(const TokenizerSpec& spec) {
  if (spec.family != Family::kByteLevel) return spec.family == Family::kSentencePiece;
  const auto words = find_word_family(spec.pre);
  return words && (*words)->adds_bos;
}

Result<> read_ids(const Gguf& gguf, TokenizerSpec& spec) {
  const bool pieces = spec.family == Family::kSentencePiece;
  const bool unigram = spec.family == Family::kUnigram;
  spec.bos = TRY(gguf.integer("tokenizer.ggml.bos_token_id")).value_or(pieces ? 1 : -1);
  spec.eos = TRY(gguf.integer("tokenizer.ggml.eos_token_id")).value_or(pieces ? 2 : -1);
  spec.unknown = TRY(gguf.integer("tokenizer.ggml.unknown_token_id")).value_or(pieces ? 0 : -1);
  spec.padding = TRY(gguf.integer("tokenizer.ggml.padding_token_id")).value_or(-1);
  spec.add_bos = TRY(gguf.boolean("tokenizer.ggml.add_bos_token")).value_or(family_adds_bos(spec));
  if (spec.add_bos) spec.frame_begin = {spec.bos};
  if (TRY(gguf.boolean("tokenizer.ggml.add_eos_token")).value_or(unigram)) spec.frame_end = {spec.eos};
  return {};
}

}  // namespace

Result<TokenizerSpec> read_gguf_tokenizer(const Gguf& gguf) {
  TokenizerSpec spec;
  spec.family = TRY(read_family(gguf));
  const bool pieces = spec.family == Family::kSentencePiece;
  const bool unigram = spec.family == Family::kUnigram;
  spec.pre = TRY(gguf.string("tokenizer.ggml.pre")).value_or("default");
  const auto tokens = TRY(gguf.strings("tokenizer.ggml.tokens"));
  if (!tokens) return fail(ErrorCode::kCorrupt, "the GGUF file does not say tokenizer.ggml.tokens");
  spec.tokens.assign(tokens->begin(), tokens->end());
  if (pieces || unigram) {
    spec.scores = TRY(gguf.floats("tokenizer.ggml.scores")).value_or(std::vector<float>());
  }
  TRY(read_kinds(gguf, spec));
  TRY(read_merges(gguf, spec));
  TRY(read_ids(gguf, spec));
  spec.dummy_prefix = TRY(gguf.boolean("tokenizer.ggml.add_space_prefix")).value_or(pieces || unigram);
  if (pieces) TRY(add_phi3_rules(gguf, spec));
  if (spec.family == Family::kWordPiece) TRY(finish_word_piece(gguf, spec));
  if (unigram) TRY(finish_unigram(gguf, spec));
  return spec;
}

}  // namespace feilun::model
