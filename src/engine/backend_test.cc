#include "engine/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "compute/isa.h"
#include "model/decoder_test_model.h"

/// The contract of batch invariance, bit for bit.

namespace feilun::engine {
namespace {

using compute::DType;
using model::Hyperparameters;
using model::ModelFile;
using Logits = std::vector<float>;

constexpr int kPrompt = 270;  ///< crosses a split of attention and many blocks
constexpr int kTokens = 280;
constexpr int kBlocks = 400;

std::unique_ptr<Backend> make(const ModelFile& file, const BackendOptions& options) {
  auto backend = make_cpu_backend(file, options);
  if (!backend) throw std::runtime_error(backend.error().message);
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
    const SequenceSlice slice{.tokens = std::span(tokens).subspan(done, count),
                              .position = done,
                              .blocks = blocks,
                              .logits = wants_logits ? 1 : 0};
    done += count;
    return slice;
  }
  int64_t left() const { return static_cast<int64_t>(tokens.size()) - done; }
  /// The next piece: at most `chunk` of the prompt, then one token a time.
  int64_t piece(int64_t prompt, int64_t chunk) const {
    return done < prompt ? std::min(chunk, prompt - done) : 1;
  }
};

std::vector<int32_t> blocks_from(int32_t first, int count) {
  std::vector<int32_t> blocks(static_cast<size_t>(count));
  std::iota(blocks.begin(), blocks.end(), first);
  return blocks;
}

std::vector<int32_t> shuffled_blocks(int count, uint64_t seed) {
  model::TestNumbers numbers(seed);
  std::vector<int32_t> all = blocks_from(0, kBlocks);
  for (size_t i = all.size() - 1; i > 0; --i) std::swap(all[i], all[numbers.bits() % (i + 1)]);
  all.resize(static_cast<size_t>(count));
  return all;
}

/// The logits from the end of the prompt on, which is cut into chunks; then tokens one by one.
std::vector<Logits> run_alone(Backend& backend, Sequence sequence, int64_t chunk) {
  std::vector<Logits> all;
  while (sequence.left() > 0) {
    const int64_t count = sequence.piece(kPrompt, chunk);
    const SequenceSlice slice = sequence.next(count, sequence.done + count >= kPrompt);
    const auto logits = backend.forward(std::span(&slice, 1));
    if (slice.logits > 0) all.emplace_back(logits.begin(), logits.end());
  }
  return all;
}

/// The same with sixteen neighbours of other lengths that come, prefill, decode and go.
std::vector<Logits> run_in_company(Backend& backend, Sequence sequence, int vocabulary, int64_t chunk) {
  std::vector<Sequence> neighbours;
  for (int i = 0; i < 16; ++i) {
    const int length = 3 + i * 17;
    neighbours.push_back({some_tokens(length, vocabulary, 100 + i), blocks_from(20 + i * 20, 20)});
  }
  std::vector<Logits> all;
  for (int step = 0; sequence.left() > 0; ++step) {
    std::vector<SequenceSlice> slices;
    size_t ours = 0;
    size_t wanted_before = 0;
    for (size_t i = 0; i <= neighbours.size(); ++i) {
      if (i == static_cast<size_t>(step) % 17) {
        const int64_t count = sequence.piece(kPrompt, chunk);
        ours = slices.size();
        wanted_before = static_cast<size_t>(
            std::count_if(slices.begin(), slices.end(), [](const SequenceSlice& s) { return s.logits > 0; }));
        slices.push_back(sequence.next(count, sequence.done + count >= kPrompt));
      }
      if (i == neighbours.size()) break;
      Sequence& other = neighbours[i];
      if (other.left() == 0) other.done = 0;
      const int64_t count = std::min<int64_t>(other.left(), (step + i) % 3 == 0 ? 11 : 1);
      slices.push_back(other.next(count, i % 2 == 0));
    }
    const auto logits = backend.forward(slices);
    if (slices[ours].logits == 0) continue;
    const auto mine = logits.subspan(wanted_before * vocabulary, vocabulary);
    all.emplace_back(mine.begin(), mine.end());
  }
  return all;
}

void expect_same(const std::vector<Logits>& a, const std::vector<Logits>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].size(), b[i].size()) << what;
    ASSERT_EQ(std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)), 0)
        << what << ", token " << i;
  }
}

struct Case {
  const char* architecture;
  DType type;
  bool kv_bf16;
};

Hyperparameters small_model(std::string_view architecture) {
  if (architecture == "qwen3") return model::small_qwen3();
  if (architecture == "qwen3moe") return model::small_qwen3moe();
  if (architecture == "gemma2") return model::small_gemma2();
  if (architecture == "glm4") return model::small_glm4();
  return model::small_llama();
}

class Invariance : public testing::TestWithParam<Case> {
 protected:
  Invariance() : shape_(small_model(GetParam().architecture)) {
    file_ = random_model(shape_, GetParam().type);
    tokens_ = some_tokens(kTokens, shape_.vocabulary, 3);
  }
  std::unique_ptr<Backend> backend(int threads = 2) {
    return make(file_, {.kv_bf16 = GetParam().kv_bf16, .kv_blocks = kBlocks, .threads = threads});
  }
  Sequence sequence(std::vector<int32_t> blocks) const { return {tokens_, std::move(blocks)}; }

  Hyperparameters shape_;
  ModelFile file_;
  std::vector<TokenId> tokens_;
};

TEST_P(Invariance, HoldsForChunksBlocksAndCompany) {
  const auto one = backend();
  const std::vector<Logits> expected = run_alone(*one, sequence(blocks_from(0, 18)), kPrompt);
  for (const Logits& logits : expected) {
    for (const float x : logits) ASSERT_TRUE(std::isfinite(x));
  }
  ASSERT_NE(expected[0], expected[1]);
  for (const int64_t chunk : {1, 7, 16, 64, 256}) {
    const std::string what = "chunks of " + std::to_string(chunk);
    expect_same(run_alone(*one, sequence(shuffled_blocks(18, chunk)), chunk), expected, what);
  }
  for (const int64_t chunk : {5, 64}) {
    expect_same(run_in_company(*one, sequence(blocks_from(0, 18)), shape_.vocabulary, chunk), expected,
                "company");
  }
}

/// Runs `test(isa)` on every instruction set of this machine.
template <typename Test>
void on_each_instruction_set(Test&& test) {
  for (const compute::Isa isa : compute::kAllIsas) {
    if (!compute::machine_has(isa)) continue;
    setenv("FEILUN_ISA", std::string(isa_name(isa)).c_str(), 1);
    test(isa);
    unsetenv("FEILUN_ISA");
  }
}

TEST_P(Invariance, HoldsForAnyNumberOfThreads) {
  on_each_instruction_set([&](compute::Isa isa) {
    const std::vector<Logits> one = run_alone(*backend(1), sequence(blocks_from(0, 18)), 64);
    const std::vector<Logits> two = run_alone(*backend(2), sequence(blocks_from(0, 18)), 64);
    expect_same(two, one, std::string(isa_name(isa)));
  });
}

/// In F32 only the last bits differ; where activations or keys are rounded, a last bit may turn a rounding.
TEST_P(Invariance, InstructionSetsAgree) {
  const std::vector<Logits> expected = run_alone(*backend(), sequence(blocks_from(0, 18)), 64);
  const double tolerance = GetParam().type == DType::kF32 && !GetParam().kv_bf16 ? 1e-5 : 0.03;
  on_each_instruction_set([&](compute::Isa isa) {
    const std::vector<Logits> found = run_alone(*backend(), sequence(blocks_from(0, 18)), 64);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      const float largest = std::abs(
          *std::ranges::max_element(expected[i], [](float a, float b) { return std::abs(a) < std::abs(b); }));
      for (size_t j = 0; j < found[i].size(); ++j) {
        ASSERT_NEAR(found[i][j], expected[i][j], tolerance * largest) << isa_name(isa) << ", token " << i;
      }
    }
  });
}

TEST_P(Invariance, HoldsInBatchesOfTwoToThirtyTwo) {
  constexpr int kMost = 32;
  constexpr int kLength = 20;
  const auto one = backend();
  std::vector<Sequence> all;
  std::vector<Logits> alone;
  for (int i = 0; i < kMost; ++i) {
    all.push_back({some_tokens(kLength + i, shape_.vocabulary, i), blocks_from(i * 4, 4)});
    Sequence& sequence = all.back();
    const SequenceSlice prompt = sequence.next(sequence.left() - 1, false);
    one->forward(std::span(&prompt, 1));
    const SequenceSlice last = sequence.next(1, true);
    const auto logits = one->forward(std::span(&last, 1));
    alone.emplace_back(logits.begin(), logits.end());
  }
  for (int batch = 2; batch <= kMost; ++batch) {
    std::vector<SequenceSlice> slices;
    for (int i = kMost - batch; i < kMost; ++i) {
      --all[static_cast<size_t>(i)].done;
      slices.push_back(all[static_cast<size_t>(i)].next(1, true));
    }
    auto logits = one->forward(slices);
    for (int i = kMost - batch; i < kMost; ++i) {
      const Logits& expected = alone[static_cast<size_t>(i)];
      ASSERT_EQ(std::memcmp(logits.data(), expected.data(), expected.size() * sizeof(float)), 0)
          << "sequence " << i << " of " << batch;
      logits = logits.subspan(expected.size());
    }
  }
}

/// What checks guesses: all logits of a slice are those that its tokens would have had one by one.
TEST_P(Invariance, HoldsForEveryTokenOfASlice) {
  on_each_instruction_set([&](compute::Isa isa) {
    const auto one = backend();
    const std::vector<Logits> expected = run_alone(*one, sequence(blocks_from(0, 18)), kPrompt);
    for (const int together : {2, 5, 8}) {
      Sequence again = sequence(blocks_from(40, 18));
      const SequenceSlice prompt = again.next(kPrompt - 1, false);
      one->forward(std::span(&prompt, 1));
      SequenceSlice guesses = again.next(together, true);
      guesses.logits = together;
      const auto logits = one->forward(std::span(&guesses, 1));
      for (int i = 0; i < together; ++i) {
        const auto mine = logits.subspan(static_cast<size_t>(i) * expected[0].size(), expected[0].size());
        expect_same(
            {{mine.begin(), mine.end()}}, {expected[static_cast<size_t>(i)]},
            std::string(isa_name(isa)) + ", token " + std::to_string(i) + " of " + std::to_string(together));
      }
    }
  });
}

/// The instruction set of the machine is looked at more closely above.
TEST_P(Invariance, HoldsOnEveryInstructionSet) {
  on_each_instruction_set([&](compute::Isa isa) {
    const auto one = backend();
    const std::vector<Logits> expected = run_alone(*one, sequence(blocks_from(0, 18)), kPrompt);
    expect_same(run_alone(*one, sequence(shuffled_blocks(18, 7)), 7), expected, std::string(isa_name(isa)));
    expect_same(run_in_company(*one, sequence(blocks_from(0, 18)), shape_.vocabulary, 64), expected,
                std::string(isa_name(isa)) + " in company");
  });
}

TEST_P(Invariance, HoldsOnBlocksThatHeldSomethingElse) {
  const auto fresh = backend();
  const std::vector<Logits> expected = run_alone(*fresh, sequence(blocks_from(0, 18)), 64);
  const auto used = backend();
  run_alone(*used, {some_tokens(kTokens, shape_.vocabulary, 9), blocks_from(0, 18)}, 64);
  expect_same(run_alone(*used, sequence(blocks_from(0, 18)), 64), expected, "used blocks");
}

INSTANTIATE_TEST_SUITE_P(
    Models, Invariance,
    testing::Values(Case{"llama", DType::kF32, false}, Case{"llama", DType::kF32, true},
                    Case{"llama", DType::kF16, true}, Case{"llama", DType::kQ8_0, true},
                    Case{"llama", DType::kQ4_0, false}, Case{"qwen3", DType::kF32, false},
                    Case{"qwen3", DType::kBF16, true}, Case{"qwen3", DType::kQ8_0, false},
                    Case{"qwen3", DType::kQ8_0, true}, Case{"qwen3", DType::kQ4_0, true},
                    Case{"qwen3moe", DType::kF32, false}, Case{"qwen3moe", DType::kQ8_0, true},
                    Case{"qwen3moe", DType::kQ4_0, true}, Case{"gemma2", DType::kF32, false},
                    Case{"gemma2", DType::kQ8_0, true}, Case{"glm4", DType::kF32, false},
                    Case{"glm4", DType::kBF16, true}),
    [](const auto& info) {
      return std::string(info.param.architecture) + "_" + std::string(compute::dtype_name(info.param.type)) +
             (info.param.kv_bf16 ? "_bf16" : "_f32");
    });

}  // namespace
}  // namespace feilun::engine
