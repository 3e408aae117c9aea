#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/pretokenizer_pattern.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// What happens to text before it is cut into words. Immutable; any thread may call.
class TextNormaliser {
 public:
  /// kUnsupported when a pattern cannot be run.
  static Result<TextNormaliser> make(std::vector<NormaliserStep> steps);

  bool changes_nothing() const { return steps_.empty(); }
  /// Bytes that are not UTF-8 pass unchanged.
  std::string apply(std::string_view text) const;

 private:
  std::vector<NormaliserStep> steps_;
  std::vector<std::unique_ptr<WordPattern>> patterns_;  // one per step, null where it has none
};

}  // namespace feilun::model
