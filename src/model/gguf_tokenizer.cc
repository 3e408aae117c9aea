#include "model/gguf.h"
#include "model/gguf_model.h"

namespace feilun::model {
namespace {

Result<> read_kinds(const Gguf& gguf, TokenizerSpec& spec) {
  const auto types = TRY(gguf.integers("tokenizer.ggml.token_type"));
  if (!types) return {};
  for (const int32_t type : *types) {
    if (type < 0 || type > 6) return fail(ErrorCode::kCorrupt, "a token has the unknown type {}", type);
    spec.kinds.push_back(type == 0 ? TokenKind::kNormal : static_cast<TokenKind>(type));
  }
  return {};
}

}  // namespace

Result<TokenizerSpec> read_gguf_tokenizer(const Gguf& gguf) {
  TokenizerSpec spec;
  const auto model = TRY(gguf.string("tokenizer.ggml.model")).value_or("none");
  if (model != "llama" && model != "gpt2") {
    return fail(ErrorCode::kUnsupported, "the tokenizer is of type \"{}\"; this version reads llama and gpt2",
                model);
  }
  const bool pieces = model == "llama";
  spec.family = pieces ? TokenizerSpec::Family::kSentencePiece : TokenizerSpec::Family::kByteLevel;
  spec.pre = TRY(gguf.string("tokenizer.ggml.pre")).value_or("default");
  const auto tokens = TRY(gguf.strings("tokenizer.ggml.tokens"));
  if (!tokens) return fail(ErrorCode::kCorrupt, "the GGUF file does not say tokenizer.ggml.tokens");
  spec.tokens.assign(tokens->begin(), tokens->end());
  spec.scores = TRY(gguf.floats("tokenizer.ggml.scores")).value_or(std::vector<float>());
  if (!pieces) spec.scores.clear();
  TRY(read_kinds(gguf, spec));
  for (const std::string_view line :
       TRY(gguf.strings("tokenizer.ggml.merges")).value_or(std::vector<std::string_view>())) {
    spec.merges.push_back(split_merge(line));
    if (spec.merges.back().first.empty())
      return fail(ErrorCode::kCorrupt, "a merge is not two tokens with a space between");
  }
  spec.bos = TRY(gguf.integer("tokenizer.ggml.bos_token_id")).value_or(pieces ? 1 : -1);
  spec.eos = TRY(gguf.integer("tokenizer.ggml.eos_token_id")).value_or(pieces ? 2 : -1);
  spec.unknown = TRY(gguf.integer("tokenizer.ggml.unknown_token_id")).value_or(pieces ? 0 : -1);
  spec.padding = TRY(gguf.integer("tokenizer.ggml.padding_token_id")).value_or(-1);
  spec.add_bos = TRY(gguf.boolean("tokenizer.ggml.add_bos_token")).value_or(pieces);
  spec.dummy_prefix = TRY(gguf.boolean("tokenizer.ggml.add_space_prefix")).value_or(pieces);
  return spec;
}

}  // namespace feilun::model
