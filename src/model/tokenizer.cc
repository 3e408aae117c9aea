#include "model/tokenizer.h"

namespace feilun::model {

std::vector<TokenId> Tokenizer::encode(std::string_view text) const {
  const PromptFragment fragment{std::string(text), false};
  return encode(std::span(&fragment, 1));
}

}  // namespace feilun::model
