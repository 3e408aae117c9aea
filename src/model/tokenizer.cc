#include "model/tokenizer.h"

namespace feilun::model {

std::vector<TokenId> Tokenizer::encode(std::string_view text, size_t most) const {
  const PromptFragment fragment{std::string(text), false};
  return encode(std::span(&fragment, 1), most);
}

}  // namespace feilun::model
