#include "ledger/coverage.h"

#include <algorithm>

namespace feilun::ledger {

Coverage cover_hold(TokenCount input, TokenCount slice, const WorstUnits& worst, TokenCount packages,
                    Money money) {
  const TokenCount covered_input = std::min(packages, input);
  const Money for_input = worst.input * (input - covered_input);
  if (for_input > money) return {};
  const TokenCount covered_output = std::min(packages - covered_input, slice);
  const TokenCount paid = affordable_tokens(money - for_input, worst.output, slice - covered_output);
  Coverage coverage;
  coverage.output_tokens = covered_output + paid;
  coverage.covered = covered_input + covered_output;
  coverage.money = for_input + worst.output * paid;
  coverage.payable = coverage.output_tokens > 0 || slice == 0;
  return coverage;
}

Coverage cover_top_up(const OpenHold& open, TokenCount more, const WorstUnits& worst, TokenCount packages,
                      Money money) {
  const bool input_covered = open.covered_tokens >= open.input_tokens;
  return cover_hold(0, more, worst, input_covered ? packages : 0, money);
}

TokenCount covered_of(const pricing::TokenUsage& usage, TokenCount covered) {
  return std::min(covered, usage.input() + usage.total_output());
}

pricing::TokenUsage uncovered(pricing::TokenUsage usage, TokenCount covered) {
  for (TokenCount* tokens :
       {&usage.input_fresh, &usage.cache_write, &usage.cache_read, &usage.output, &usage.reasoning}) {
    const TokenCount part = std::min(*tokens, covered);
    *tokens -= part;
    covered -= part;
  }
  return usage;
}

pricing::TokenUsage without(pricing::TokenUsage usage, const pricing::TokenUsage& paid) {
  usage.input_fresh -= paid.input_fresh;
  usage.cache_read -= paid.cache_read;
  usage.cache_write -= paid.cache_write;
  usage.output -= paid.output;
  usage.reasoning -= paid.reasoning;
  return usage;
}

}  // namespace feilun::ledger
