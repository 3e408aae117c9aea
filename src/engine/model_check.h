#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model_goldens.h"

namespace feilun::engine {

/// How near the engine comes to another implementation on one text.
struct CheckedText {
  int64_t prompt = 0;     ///< tokens read at once
  int64_t steps = 0;      ///< tokens read one by one
  double divergence = 0;  ///< max|Δ| / max|logit| over the answers, weights and cache in F32
  double f32_kl = 0;      ///< mean over the answers of KL(golden ‖ ours), over the golden top tokens and
                          ///< the rest together: a lower bound
  double q8_0_divergence = 0;
  double q8_0_kl = 0;  ///< mean of KL(F32 ‖ Q8_0), both ours, over the whole vocabulary
  double top_min = 1;  ///< of the top probabilities, in F32: were the answers worth comparing?
  double top_max = 0;
};

/// What a model does on this machine.
struct CheckReport {
  std::vector<CheckedText> texts;  ///< empty without goldens
  bool logits_finite = false;
  bool chunks_equal_whole = false;    ///< a prompt gives the same bits however it is cut
  bool company_equals_alone = false;  ///< and whoever else is in the batch

  static constexpr double kDivergenceMax = 1e-4;
  /// Most shapes of released models, with random weights and a median top probability of a half, stay below
  /// 1e-3; norms after each branch, which blow up what rounding did before them, bring GLM-4's to 1.3e-3.
  static constexpr double kQ8KlMax = 1.5e-3;
  bool passed() const;
};

struct CheckOptions {
  std::vector<GoldenText> goldens;
  int threads = 1;
};

/// Loads the model as it is stored, with a cache in BF16, and looks whether its answers depend on how they
/// were asked for. With goldens, loads it again in F32 and in Q8_0, one after the other, and compares. Takes
/// the memory of the largest of these.
Result<CheckReport> check_model(const model::ModelFile& file, const CheckOptions& options);

/// The report as lines for a terminal.
std::string describe_check(const CheckReport& report);

}  // namespace feilun::engine
