#include "scheduler/forecast.h"

#include <algorithm>

#include "scheduler/scheduler.h"

namespace feilun::scheduler {
namespace {

constexpr double kRecent = 1.0 / 32;  ///< weight of the last sequence

std::chrono::nanoseconds nanoseconds(double count) {
  return std::chrono::nanoseconds(static_cast<int64_t>(std::clamp(count, 0.0, 1e17)));
}

}  // namespace

std::chrono::nanoseconds Forecast::first_token(Tier tier, TokenCount prompt_tokens,
                                               TokenCount tokens_ahead) const {
  if (!known) return std::chrono::nanoseconds(0);
  const auto tokens = static_cast<double>(prompt_tokens + tokens_ahead);
  return wait[static_cast<size_t>(tier)] + nanoseconds(tokens * prompt_token_ns);
}

void PastSequences::ended(TokenCount output, TokenCount prompt_computed, TokenCount prompt_cached) {
  mean_output_ += (static_cast<double>(output) - mean_output_) * kRecent;
  computed_ += (static_cast<double>(prompt_computed) - computed_) * kRecent;
  cached_ += (static_cast<double>(prompt_cached) - cached_) * kRecent;
}

/// Two queues, of which the longer counts: prompts wait for their turn to be computed, at the pace that
/// running decodes leave them; and sequences wait for a place in the batch (a slot and blocks), which become
/// free as often as sequences of the usual length end.
Forecast Scheduler::forecast(const StepCost& cost) const {
  Forecast forecast;
  if (cost.version == 0) return forecast;
  forecast.known = true;

  StepWork decodes;
  bool watched = false;
  std::array<int, kTierCount> running{};
  std::array<TokenCount, kTierCount> tokens{};
  for (const auto& [place, sequence] : running_) {
    const auto level = static_cast<size_t>(place.level);
    ++running[level];
    if (sequence->output() > 0) {
      decodes += StepWork::decode(sequence->known());
      watched |= sequence->tier <= Tier::kDefault;
    } else {
      tokens[level] += sequence->pending();
    }
  }
  std::array<int, kTierCount> waiting{};
  for (const auto& [place, sequence] : waiting_) {
    ++waiting[static_cast<size_t>(place.level)];
    tokens[static_cast<size_t>(place.level)] += sequence->pending();
  }

  const double decode_step = static_cast<double>(cost.predict(decodes).count());
  TokenCount chunk = options_.prefill_chunk;
  const auto step_with = [&](TokenCount count) {
    return static_cast<double>(cost.predict(decodes + StepWork::chunk(count, count, true)).count());
  };
  while (watched && chunk > 1 && step_with(chunk) > decode_step * options_.prefill_stretch)
    chunk -= (chunk + 7) / 8;
  forecast.prompt_token_ns = step_with(chunk) / static_cast<double>(chunk) * past_.miss_ratio();

  const int batch = static_cast<int>(running_.size());
  const double blocks_each = std::max(1.0, static_cast<double>(cache_.used()) / std::max(1, batch));
  const double places =
      std::clamp(cache_.total() / blocks_each, 1.0, static_cast<double>(options_.max_sequences));
  TokenCount tokens_ahead = 0;
  double ahead = 1;
  for (size_t level = 0; level < kTierCount; ++level) {
    tokens_ahead += tokens[level];
    ahead += running[level] + waiting[level];
    const double turns = std::max(0.0, ahead - places) / places;
    forecast.wait[level] = nanoseconds(std::max(static_cast<double>(tokens_ahead) * forecast.prompt_token_ns,
                                                turns * past_.mean_output() * decode_step));
  }
  return forecast;
}

}  // namespace feilun::scheduler
