#include "model/hugging_face_tokenizer_json.h"

#include <algorithm>

#include "model/hugging_face_tokenizer_steps.h"
#include "model/hugging_face_vocabulary.h"
#include "model/pretokenizer_families.h"
#include "model/sentence_piece.h"

namespace feilun::model {
namespace {

using Element = simdjson::dom::element;
using Family = TokenizerSpec::Family;

constexpr int64_t kTokenIdMax = 1 << 24;

Result<> read_added(const HuggingFaceObject& root, TokenizerSpec& spec) {
  const auto found = root.find("added_tokens");
  if (!found) return {};
  simdjson::dom::array tokens;
  if (found->get(tokens) != simdjson::SUCCESS) return fail(ErrorCode::kCorrupt, "added_tokens is not a list");
  const size_t count = spec.tokens.size() + element_count(tokens);
  for (const Element token : tokens) {
    const HuggingFaceObject object(token);
    const auto id = TRY(object.integer("id"));
    if (!id) return fail(ErrorCode::kCorrupt, "an added token has no id");
    TRY(set_added_token(spec, count, *id, object));
  }
  return {};
}

void mark_byte_tokens(TokenizerSpec& spec) {
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (spec.kinds[i] == TokenKind::kNormal && named_byte(spec.tokens[i]) >= 0)
      spec.kinds[i] = TokenKind::kByte;
  }
}

/// The name that the words have in GGUF, for what is written there.
std::string family_name(const TokenizerSpec& spec) {
  std::vector<std::string> patterns;
  for (const WordStep& step : spec.words) {
    if (step.kind != WordStep::Kind::kPattern || step.matches != WordStep::Matches::kApart) return {};
    patterns.push_back(step.text);
  }
  const bool nfc = spec.normaliser.size() == 1 && spec.normaliser[0].kind == NormaliserStep::Kind::kNfc;
  if (!nfc && !spec.normaliser.empty()) return {};
  return std::string(word_family_name(patterns, nfc, spec.whole_words));
}

Result<> read_bpe(const HuggingFaceObject& model, bool byte_level, TokenizerSpec& spec) {
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!TRY(model.string(key)).value_or("").empty()) {
      return fail(ErrorCode::kUnsupported, "the tokenizer has a {}, which this version does not know", key);
    }
  }
  const auto vocabulary = model.find("vocab");
  const auto merges = model.find("merges");
  if (!vocabulary || !merges) return fail(ErrorCode::kCorrupt, "tokenizer.json has no vocab or no merges");
  TRY(read_vocabulary(*vocabulary, spec));
  TRY(read_merges(*merges, spec));
  if (!byte_level && spec.merges.empty()) return fail(ErrorCode::kUnsupported, "the tokenizer has no merges");
  spec.family = byte_level ? Family::kByteLevel : Family::kSentencePiece;
  spec.whole_words = TRY(model.boolean("ignore_merges")).value_or(false);
  spec.fuses_unknown = TRY(model.boolean("fuse_unk")).value_or(false);
  if (!byte_level && TRY(model.boolean("byte_fallback")).value_or(false)) mark_byte_tokens(spec);
  set_unknown(spec, TRY(model.string("unk_token")).value_or(""));
  return {};
}

Result<> read_word_piece(const HuggingFaceObject& model, TokenizerSpec& spec) {
  const auto vocabulary = model.find("vocab");
  if (!vocabulary) return fail(ErrorCode::kCorrupt, "tokenizer.json has no vocab");
  if (TRY(model.string("continuing_subword_prefix")).value_or("##") != "##") {
    return fail(ErrorCode::kUnsupported, "the tokenizer's pieces inside a word do not start with ##");
  }
  TRY(read_vocabulary(*vocabulary, spec));
  spec.family = Family::kWordPiece;
  const int runes_max = TRY(model.integer("max_input_chars_per_word")).value_or(100);
  spec.word_runes_max = static_cast<size_t>(std::clamp(runes_max, 1, 1000));
  set_unknown(spec, TRY(model.string("unk_token")).value_or("[UNK]"));
  return {};
}

/// [["piece", score], …], the place being the id.
Result<> read_unigram(const HuggingFaceObject& model, TokenizerSpec& spec) {
  simdjson::dom::array pieces;
  const auto vocabulary = model.find("vocab");
  if (!vocabulary || vocabulary->get(pieces) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "tokenizer.json has no list of pieces");
  }
  for (const Element entry : pieces) {
    std::string_view piece;
    double score = 0;
    if (entry.at(0).get(piece) != simdjson::SUCCESS || entry.at(1).get(score) != simdjson::SUCCESS) {
      return fail(ErrorCode::kCorrupt, "piece {} is not a text and a score", spec.tokens.size());
    }
    spec.tokens.emplace_back(piece);
    spec.kinds.push_back(TokenKind::kNormal);
    spec.scores.push_back(static_cast<float>(score));
  }
  spec.family = Family::kUnigram;
  if (TRY(model.boolean("byte_fallback")).value_or(false)) mark_byte_tokens(spec);
  const auto unknown = TRY(model.integer("unk_id"));
  if (unknown && (*unknown < 0 || static_cast<size_t>(*unknown) >= spec.tokens.size())) {
    return fail(ErrorCode::kCorrupt, "unk_id is {}, but there are {} pieces", *unknown, spec.tokens.size());
  }
  if (unknown) set_unknown(spec, spec.tokens[static_cast<size_t>(*unknown)]);
  return {};
}

Result<> read_model(const HuggingFaceObject& root, bool byte_level, TokenizerSpec& spec) {
  const auto model = TRY(root.object("model"));
  if (!model) return fail(ErrorCode::kCorrupt, "tokenizer.json has no model");
  const std::string_view type = type_of(*model);
  if (type == "BPE" || (type.empty() && model->find("merges"))) return read_bpe(*model, byte_level, spec);
  if (type == "WordPiece") return read_word_piece(*model, spec);
  if (type == "Unigram") return read_unigram(*model, spec);
  return fail(ErrorCode::kUnsupported,
              "the tokenizer is of type {}; this version reads BPE, Unigram and WordPiece", type);
}

/// The ids that a template's special token stands for: "special_tokens": {"[CLS]": {"ids": [101]}}. Its name
/// need not be a token's text.
Result<> read_template_token(const HuggingFaceObject& part, std::string_view name,
                             std::vector<TokenId>& frame) {
  simdjson::dom::array ids;
  const auto tokens = TRY(part.object("special_tokens"));
  const auto token = tokens ? TRY(tokens->object(name)) : std::nullopt;
  const auto found = token ? token->find("ids") : std::nullopt;
  if (!found || found->get(ids) != simdjson::SUCCESS || ids.size() == 0) {
    return fail(ErrorCode::kCorrupt, "the tokenizer's template does not say the ids of {}", name);
  }
  for (const Element element : ids) {
    int64_t id = -1;
    if (element.get(id) != simdjson::SUCCESS || id < 0 || id > kTokenIdMax) {
      return fail(ErrorCode::kCorrupt, "an id of the template's token {} is not one", name);
    }
    frame.push_back(static_cast<TokenId>(id));
  }
  return {};
}

/// TemplateProcessing's "single": special tokens around the sequence.
Result<> read_template(const HuggingFaceObject& part, TokenizerSpec& spec) {
  simdjson::dom::array items;
  const auto single = part.find("single");
  if (!single || single->get(items) != simdjson::SUCCESS) return {};
  bool is_after = false;
  for (const Element item : items) {
    const auto special = TRY(HuggingFaceObject(item).object("SpecialToken"));
    if (!special) {
      is_after = true;
      continue;
    }
    const auto name = TRY(special->string("id"));
    if (!name) return fail(ErrorCode::kCorrupt, "a special token of the tokenizer's template has no id");
    TRY(read_template_token(part, *name, is_after ? spec.frame_end : spec.frame_begin));
  }
  return {};
}

/// "cls": ["[CLS]", 101]
Result<> read_named_frame(const HuggingFaceObject& part, std::string_view key, std::vector<TokenId>& frame) {
  const auto pair = part.find(key);
  int64_t id = -1;
  if (!pair || pair->at(1).get(id) != simdjson::SUCCESS || id < 0 || id > kTokenIdMax) {
    return fail(ErrorCode::kCorrupt, "the tokenizer's post-processor has no {}", key);
  }
  frame.push_back(static_cast<TokenId>(id));
  return {};
}

Result<> read_frame(const HuggingFaceObject& root, TokenizerSpec& spec) {
  for (const HuggingFaceObject& part : parts_of(root.find("post_processor"), "processors")) {
    const std::string_view type = type_of(part);
    if (type == "TemplateProcessing") {
      TRY(read_template(part, spec));
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      TRY(read_named_frame(part, "cls", spec.frame_begin));
      TRY(read_named_frame(part, "sep", spec.frame_end));
    } else if (type != "ByteLevel") {
      return fail(ErrorCode::kUnsupported, "the tokenizer's post-processor {} is not known to this version",
                  type);
    }
  }
  spec.add_bos = !spec.frame_begin.empty();
  return {};
}

/// Whether decoding takes the first space away.
Result<bool> strips_first_space(const HuggingFaceObject& root) {
  for (const HuggingFaceObject& part : parts_of(root.find("decoder"), "decoders")) {
    const std::string_view type = type_of(part);
    if (type == "Strip") return TRY(part.integer("start")).value_or(0) > 0;
    if (type == "Metaspace") {
      return TRY(part.string("prepend_scheme")).value_or("always") != "never" &&
             TRY(part.boolean("add_prefix_space")).value_or(true);
    }
  }
  return false;
}

bool has_prefix(const TokenizerSpec& spec) {
  return std::ranges::any_of(spec.normaliser,
                             [](const NormaliserStep& step) {
                               return step.kind == NormaliserStep::Kind::kPrepend && step.to == kSpaceMark;
                             }) ||
         std::ranges::any_of(spec.words, [](const WordStep& step) {
           return step.kind == WordStep::Kind::kSpaceMarks && step.prefix != WordStep::Prefix::kNever;
         });
}

}  // namespace

Result<TokenizerSpec> read_tokenizer_json(const HuggingFaceObject& root) {
  TokenizerSpec spec;
  spec.steps_are_complete = true;
  spec.normaliser = TRY(read_normaliser(root.find("normalizer")));
  WordSteps words = TRY(read_word_steps(root.find("pre_tokenizer")));
  spec.words = std::move(words.steps);
  TRY(read_model(root, words.byte_level, spec));
  if (spec.tokens.empty()) return fail(ErrorCode::kCorrupt, "tokenizer.json has no tokens");
  TRY(read_added(root, spec));
  if (spec.unknown >= 0) spec.kinds[static_cast<size_t>(spec.unknown)] = TokenKind::kUnknown;
  if (!spec.scores.empty()) spec.scores.resize(spec.tokens.size(), 0.0f);
  TRY(read_frame(root, spec));
  if (words.byte_level) spec.pre = family_name(spec);
  spec.dummy_prefix = has_prefix(spec);
  spec.strips_leading_space = TRY(strips_first_space(root));
  return spec;
}

}  // namespace feilun::model
