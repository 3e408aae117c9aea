#pragma once

#include <string>
#include <string_view>

#include "model/gguf.h"

namespace feilun::model {

/// The values of a GGUF file that are named after its architecture: "llama.block_count" is "block_count".
class GgufSettings {
 public:
  GgufSettings(const Gguf& gguf, std::string_view architecture) : gguf_(gguf), prefix_(architecture) {}
  std::string key(std::string_view name) const { return fmt::format("{}.{}", prefix_, name); }

  /// kCorrupt where the file does not say it.
  Result<int> needed(std::string_view name) const {
    const auto value = TRY(gguf_.integer(key(name)));
    if (!value) return fail(ErrorCode::kCorrupt, "the GGUF file does not say {}", key(name));
    return *value;
  }
  Result<int> integer_or(std::string_view name, int otherwise) const {
    return TRY(gguf_.integer(key(name))).value_or(otherwise);
  }
  Result<float> number_or(std::string_view name, float otherwise) const {
    return TRY(gguf_.number(key(name))).value_or(otherwise);
  }
  Result<bool> boolean_or(std::string_view name, bool otherwise) const {
    return TRY(gguf_.boolean(key(name))).value_or(otherwise);
  }
  Result<std::string_view> string_or(std::string_view name, std::string_view otherwise) const {
    return TRY(gguf_.string(key(name))).value_or(otherwise);
  }

 private:
  const Gguf& gguf_;
  std::string prefix_;
};

}  // namespace feilun::model
