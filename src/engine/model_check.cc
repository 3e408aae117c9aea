#include "engine/model_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>

#include "engine/backend.h"

namespace feilun::engine {
namespace {

using model::TokenId;
using Logits = std::vector<float>;

/// Tokens for the self-test: any will do, so long as they differ.
std::vector<TokenId> some_tokens(int64_t count, int vocabulary, uint64_t seed) {
  std::vector<TokenId> tokens;
  uint64_t state = seed * 2 + 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<TokenId>((state >> 33) % static_cast<uint64_t>(vocabulary)));
  }
  return tokens;
}

int64_t blocks_for(int64_t tokens) {
  return (tokens + Backend::kBlockTokens - 1) / Backend::kBlockTokens;
}

/// One sequence in blocks of its own.
struct Reader {
  Reader(Backend& on, int64_t first_block, int64_t tokens)
      : backend(on), blocks(static_cast<size_t>(blocks_for(tokens))) {
    std::iota(blocks.begin(), blocks.end(), static_cast<int32_t>(first_block));
  }
  SequenceSlice next(std::span<const TokenId> tokens) {
    const SequenceSlice slice{.tokens = tokens, .position = position, .blocks = blocks, .logits = 1};
    position += static_cast<int64_t>(tokens.size());
    return slice;
  }
  std::span<const float> read(std::span<const TokenId> tokens) {
    const SequenceSlice slice = next(tokens);
    return backend.forward(std::span(&slice, 1));
  }

  Backend& backend;
  std::vector<int32_t> blocks;
  int64_t position = 0;
};

bool same(const Logits& a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), b.size_bytes()) == 0;
}

constexpr int64_t kSelfTokens = 40;

Logits read_whole(Backend& backend, std::span<const TokenId> tokens) {
  const auto logits = Reader(backend, 0, kSelfTokens).read(tokens);
  return {logits.begin(), logits.end()};
}

bool chunks_equal(Backend& backend, std::span<const TokenId> tokens, const Logits& whole) {
  for (const size_t chunk : {1, 7, 16}) {
    Reader reader(backend, 4, kSelfTokens);
    std::span<const float> logits;
    for (size_t at = 0; at < tokens.size(); at += chunk) {
      logits = reader.read(tokens.subspan(at, std::min(chunk, tokens.size() - at)));
    }
    if (!same(whole, logits)) return false;
  }
  return true;
}

bool company_equals(Backend& backend, std::span<const TokenId> tokens, const Logits& alone) {
  constexpr int64_t kOthers = 5;
  const int64_t each = blocks_for(kSelfTokens);
  std::vector<std::vector<TokenId>> texts;
  std::vector<Reader> readers;
  std::vector<SequenceSlice> slices;
  for (int64_t i = 0; i < kOthers; ++i) {
    texts.push_back(some_tokens(1 + 7 * i, backend.vocabulary_size(), static_cast<uint64_t>(i) + 2));
    readers.emplace_back(backend, each * (i + 1), kSelfTokens);
  }
  Reader ours(backend, 0, kSelfTokens);
  for (int64_t i = 0; i < kOthers; ++i) {
    if (i == kOthers / 2) slices.push_back(ours.next(tokens));
    const auto at = static_cast<size_t>(i);
    slices.push_back(readers[at].next(texts[at]));
  }
  const auto logits = backend.forward(slices);
  const size_t width = alone.size();
  return same(alone, logits.subspan(width * (kOthers / 2), width));
}

Result<> test_alone(const model::ModelFile& file, int threads, CheckReport& report) {
  const auto backend =
      TRY(make_cpu_backend(file, {.kv_blocks = 6 * blocks_for(kSelfTokens), .threads = threads}));
  const std::vector<TokenId> tokens = some_tokens(kSelfTokens, file.shape.vocabulary, 1);
  const Logits whole = read_whole(*backend, tokens);
  report.logits_finite = std::ranges::all_of(whole, [](float x) { return std::isfinite(x); });
  report.chunks_equal_whole = chunks_equal(*backend, tokens, whole);
  report.company_equals_alone = company_equals(*backend, tokens, whole);
  return {};
}

/// The logits of a text at its golden answers, in one row after the other.
Result<std::vector<Logits>> answer_texts(const model::ModelFile& file, const CheckOptions& options,
                                         Quantise quantise) {
  int64_t longest = 1;
  for (const GoldenText& text : options.goldens) {
    longest = std::max(longest, static_cast<int64_t>(text.tokens.size()));
  }
  const auto backend = TRY(make_cpu_backend(file, {.quantise = quantise,
                                                   .kv_bf16 = false,
                                                   .kv_blocks = blocks_for(longest),
                                                   .threads = options.threads}));
  std::vector<Logits> rows;
  for (const GoldenText& text : options.goldens) {
    Reader reader(*backend, 0, longest);
    auto answer = text.answers.begin();
    while (answer != text.answers.end()) {
      const int64_t count = reader.position == 0 ? text.prompt : 1;
      const auto logits = reader.read(
          std::span(text.tokens).subspan(static_cast<size_t>(reader.position), static_cast<size_t>(count)));
      if (reader.position <= answer->position) continue;
      rows.emplace_back(logits.begin(), logits.end());
      ++answer;
    }
  }
  return rows;
}

double log_sum(const Logits& logits) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum);
}

double divergence(const GoldenAnswer& golden, const Logits& ours) {
  double apart = 0;
  for (size_t i = 0; i < golden.ids.size(); ++i) {
    const double difference = std::abs(ours[static_cast<size_t>(golden.ids[i])] - golden.logits[i]);
    apart = std::isfinite(difference) ? std::max(apart, difference) : INFINITY;
  }
  return apart / golden.largest;
}

/// Σ p·ln(p / q) over the golden tokens, and over the rest as if it were one.
double bounded_kl(const GoldenAnswer& golden, const Logits& ours) {
  const double our_sum = log_sum(ours);
  std::vector<std::pair<TokenId, double>> known;
  for (size_t i = 0; i < golden.ids.size(); ++i) known.emplace_back(golden.ids[i], golden.logits[i]);
  std::ranges::sort(known);
  const auto twins = std::ranges::unique(known, {}, &std::pair<TokenId, double>::first);
  known.erase(twins.begin(), twins.end());
  double kl = 0;
  double golden_rest = 1;
  double our_rest = 1;
  for (const auto& [id, logit] : known) {
    const double log_p = logit - golden.log_sum;
    const double log_q = ours[static_cast<size_t>(id)] - our_sum;
    kl += std::exp(log_p) * (log_p - log_q);
    golden_rest -= std::exp(log_p);
    our_rest -= std::exp(log_q);
  }
  if (golden_rest > 1e-9 && our_rest > 1e-9) kl += golden_rest * std::log(golden_rest / our_rest);
  return std::max(0.0, kl);
}

double whole_kl(const Logits& exact, const Logits& ours) {
  const double exact_sum = log_sum(exact);
  const double our_sum = log_sum(ours);
  double kl = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double log_p = exact[i] - exact_sum;
    kl += std::exp(log_p) * (log_p - (ours[i] - our_sum));
  }
  return std::max(0.0, kl);
}

CheckedText compare(const GoldenText& text, std::span<const Logits> exact, std::span<const Logits> eight) {
  CheckedText checked{.prompt = text.prompt, .steps = static_cast<int64_t>(text.tokens.size()) - text.prompt};
  const auto count = static_cast<double>(text.answers.size());
  for (size_t i = 0; i < text.answers.size(); ++i) {
    const GoldenAnswer& golden = text.answers[i];
    const double top = std::exp(*std::ranges::max_element(exact[i]) - log_sum(exact[i]));
    checked.divergence = std::max(checked.divergence, divergence(golden, exact[i]));
    checked.f32_kl += bounded_kl(golden, exact[i]) / count;
    checked.q8_0_divergence = std::max(checked.q8_0_divergence, divergence(golden, eight[i]));
    checked.q8_0_kl += whole_kl(exact[i], eight[i]) / count;
    checked.top_min = std::min(checked.top_min, top);
    checked.top_max = std::max(checked.top_max, top);
  }
  return checked;
}

}  // namespace

bool CheckReport::passed() const {
  const bool near = std::ranges::all_of(texts, [](const CheckedText& text) {
    return text.divergence < kDivergenceMax && text.q8_0_kl < kQ8KlMax;
  });
  return near && logits_finite && chunks_equal_whole && company_equals_alone;
}

Result<CheckReport> check_model(const model::ModelFile& file, const CheckOptions& options) {
  CheckReport report;
  TRY(test_alone(file, options.threads, report));
  if (options.goldens.empty()) return report;
  const auto exact = TRY(answer_texts(file, options, Quantise::kF32));
  const auto eight = TRY(answer_texts(file, options, Quantise::kQ8_0));
  size_t first = 0;
  for (const GoldenText& text : options.goldens) {
    const size_t count = text.answers.size();
    report.texts.push_back(
        compare(text, std::span(exact).subspan(first, count), std::span(eight).subspan(first, count)));
    first += count;
  }
  return report;
}

std::string describe_check(const CheckReport& report) {
  const auto yes = [](bool good) { return good ? "yes" : "NO"; };
  std::string lines = fmt::format(
      "finite logits          {}\nsame bits in chunks    {}\nsame bits in company   {}\n",
      yes(report.logits_finite), yes(report.chunks_equal_whole), yes(report.company_equals_alone));
  for (const CheckedText& text : report.texts) {
    lines += fmt::format(
        "{:>4} + {} tokens         F32: {:.1e} of the largest logit, KL {:.1e}; Q8_0: {:.1e}, KL {:.1e}; top "
        "probabilities {:.2f} to {:.2f}\n",
        text.prompt, text.steps, text.divergence, text.f32_kl, text.q8_0_divergence, text.q8_0_kl,
        text.top_min, text.top_max);
  }
  return lines + fmt::format("passed                 {}\n", yes(report.passed()));
}

}  // namespace feilun::engine
