// LINK: feilun_engine
// Any text as a goldens.json: refused with a sentence, or answers that a check can walk along.
#include <cstdint>
#include <string_view>

#include "engine/model_goldens.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int kVocabulary = 64;
  const auto texts = feilun::engine::parse_goldens({reinterpret_cast<const char*>(data), size}, kVocabulary);
  if (!texts) return texts.error().message.empty() ? (__builtin_trap(), 0) : 0;
  for (const auto& text : *texts) {
    for (const auto& answer : text.answers) {
      const bool good = answer.ids.size() == answer.logits.size() && answer.position >= text.prompt - 1 &&
                        answer.position < static_cast<int64_t>(text.tokens.size());
      if (!good) __builtin_trap();
    }
  }
  return 0;
}
