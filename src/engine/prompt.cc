#include "engine/prompt.h"

namespace feilun::engine {
namespace {

void begin_with_bos(std::vector<model::TokenId>& tokens, model::TokenId bos) {
  if (bos >= 0 && (tokens.empty() || tokens.front() != bos)) tokens.insert(tokens.begin(), bos);
}

}  // namespace

Result<std::vector<model::TokenId>> encode_chat(const model::ModelFile& file, const model::ChatInput& input,
                                                size_t most) {
  if (file.chat_template == nullptr) {
    return fail(ErrorCode::kUnsupported, "the model {} has no chat template; use /v1/completions", file.name);
  }
  const std::vector<model::PromptFragment> fragments = TRY(file.chat_template->render(input));
  std::vector<model::TokenId> tokens = file.tokenizer->encode(fragments, most);
  begin_with_bos(tokens, file.tokenizer->bos());
  return tokens;
}

std::vector<model::TokenId> encode_text(const model::ModelFile& file, std::string_view text, size_t most) {
  std::vector<model::TokenId> tokens = file.tokenizer->encode(text, most);
  begin_with_bos(tokens, file.tokenizer->bos());
  return tokens;
}

}  // namespace feilun::engine
