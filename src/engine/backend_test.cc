#include "engine/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "compute/isa.h"
#include "model/decoder_test_model.h"

namespace feilun::engine {
namespace {

using compute::DType;
using model::Hyperparameters;
using model::ModelFile;
using Logits = std::vector<float>;

std::unique_ptr<Backend> make(const ModelFile& file, BackendOptions options) {
  auto backend = make_cpu_backend(file, options);
  if (!backend) ADD_FAILURE() << backend.error().message;
  return std::move(backend).value();
}

std::vector<TokenId> some_tokens(int count, int vocabulary, uint64_t seed) {
  model::TestNumbers numbers(seed);
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(static_cast<TokenId>(numbers.bits() % vocabulary));
  return tokens;
}

/// A sequence with blocks of its own, fed piece by piece.
struct Sequence {
  std::vector<TokenId> tokens;
  std::vector<int32_t> blocks;
  int64_t done = 0;

  SequenceSlice next(int64_t count, bool wants_logits) {
    count = std::min<int64_t>(count, static_cast<int64_t>(tokens.size()) - done);
    SequenceSlice slice{.tokens = std::span(tokens).subspan(done, count),
                        .position = done,
                        .blocks = blocks,
                        .wants_logits = wants_logits};
    done += count;
    return slice;
  }
  bool finished() const { return done == static_cast<int64_t>(tokens.size()); }
};

std::vector<int32_t> blocks_from(int32_t first, int count) {
  std::vector<int32_t> blocks(static_cast<size_t>(count));
  std::iota(blocks.begin(), blocks.end(), first);
  return blocks;
}

/// The logits after each token from `first_wanted` on, fed one by one after a prompt in chunks of `chunk`.
std::vector<Logits> run_alone(Backend& backend, Sequence sequence, int64_t prompt, int64_t chunk) {
  std::vector<Logits> all;
  while (!sequence.finished()) {
    const int64_t step = sequence.done < prompt ? std::min(chunk, prompt - sequence.done) : 1;
    const SequenceSlice slice = sequence.next(step, sequence.done + step >= prompt);
    const auto logits = backend.forward(std::span(&slice, 1));
    if (!logits.empty()) all.emplace_back(logits.begin(), logits.end());
  }
  return all;
}

TEST(Backend, GivesFiniteLogits) {
  for (const auto& shape : {model::small_llama(), model::small_qwen3()}) {
    const ModelFile file = random_model(shape, DType::kF32);
    auto backend = make(file, {.kv_blocks = 40, .threads = 2});
    const auto logits =
        run_alone(*backend, {some_tokens(300, shape.vocabulary, 3), blocks_from(0, 20)}, 290, 64);
    ASSERT_EQ(logits.size(), 11u);
    for (const Logits& row : logits) {
      ASSERT_EQ(row.size(), static_cast<size_t>(shape.vocabulary));
      for (const float x : row) ASSERT_TRUE(std::isfinite(x));
    }
  }
}

}  // namespace
}  // namespace feilun::engine
