#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "engine/decoder_golden.h"

/// The golden comparison is only worth something if it sees mistakes. Each row of this table makes one, in
/// the data that a decoder is made from, and the comparison must fail.

namespace feilun::engine {
namespace {

using model::Hyperparameters;
using model::TensorView;

/// Weights of a model with some tensors exchanged.
class SwappedWeights final : public model::WeightSource {
 public:
  SwappedWeights(std::shared_ptr<const model::WeightSource> base,
                 const std::vector<std::pair<std::string, std::string>>& swaps)
      : base_(std::move(base)), tensors_(base_->tensors().begin(), base_->tensors().end()) {
    for (const auto& [one, other] : swaps) std::swap(named(one).data, named(other).data);
  }
  const TensorView* find(std::string_view name) const override {
    const auto found = std::ranges::find(tensors_, name, &TensorView::name);
    return found == tensors_.end() ? nullptr : &*found;
  }
  std::span<const TensorView> tensors() const override { return tensors_; }
  void release(const TensorView&) const override {}

 private:
  TensorView& named(const std::string& name) {
    const auto found = std::ranges::find(tensors_, name, &TensorView::name);
    if (found == tensors_.end()) throw std::runtime_error("no tensor " + name);
    return *found;
  }

  std::shared_ptr<const model::WeightSource> base_;
  std::vector<TensorView> tensors_;
};

/// Exchanges two tensors of the first layer.
void swap_tensors(GoldenSubject& subject, std::vector<std::pair<std::string, std::string>> swaps) {
  for (auto& [one, other] : swaps) {
    one = "blk.0." + one + ".weight";
    other = "blk.0." + other + ".weight";
  }
  subject.file.weights = std::make_shared<SwappedWeights>(subject.file.weights, swaps);
}

/// A mask that ends earlier or later than it should.
template <int kShift>
void attend_shifted(const compute::AttentionJob& job) {
  compute::AttentionJob shifted = job;
  for (int i = 0; i < job.queries; ++i) {
    shifted.visible[i] = std::max<int64_t>(job.first[i] + 1, job.visible[i] + kShift);
  }
  compute::kernels_for(compute::choose_isa().value()).attend(shifted);
}

/// The design of the same file if its numbers were others.
void redesign(GoldenSubject& subject, const std::function<void(Hyperparameters&)>& change) {
  model::ModelFile other = subject.file;
  change(other.shape);
  subject.design = model::decoder_design(other).value();
}

void change_windows(GoldenSubject& subject, const std::function<int(int)>& change) {
  for (int& window : subject.design.windows) window = change(window);
}

struct Mutation {
  std::string name;
  std::vector<std::string> models;
  std::function<void(GoldenSubject&)> make;
};

const std::vector<std::string> kAll = {"llama",    "llama_biased", "mistral", "qwen2", "qwen3",
                                       "qwen3moe", "glm4",         "gemma2",  "phi3"};
const std::vector<std::string> kDense = {"llama", "llama_biased", "mistral", "qwen2",
                                         "qwen3", "glm4",         "gemma2",  "phi3"};

std::vector<Mutation> attention_mutations() {
  return {
      {"no QK-norm", {"qwen3", "qwen3moe"}, [](auto& s) { s.file.shape.qk_norm = false; }},
      {"Q-norm on K",
       {"qwen3", "qwen3moe"},
       [](auto& s) { swap_tensors(s, {{"attn_q_norm", "attn_k_norm"}}); }},
      {"no biases", {"llama_biased", "qwen2", "glm4"}, [](auto& s) { s.file.shape.qkv_bias = false; }},
      {"no output bias", {"llama_biased"}, [](auto& s) { s.file.shape.output_bias = false; }},
      {"mask a token short", kAll, [](auto& s) { s.kernels.attend = attend_shifted<-1>; }},
      {"mask a token long", kAll, [](auto& s) { s.kernels.attend = attend_shifted<1>; }},
      {"no window",
       {"mistral", "qwen2", "gemma2", "phi3"},
       [](auto& s) { change_windows(s, [](int) { return 0; }); }},
      {"window a token short",
       {"mistral", "qwen2", "gemma2", "phi3"},
       [](auto& s) { change_windows(s, [](int window) { return std::max(0, window - 1); }); }},
      {"window a token long",
       {"mistral", "qwen2", "gemma2", "phi3"},
       [](auto& s) { change_windows(s, [](int window) { return window > 0 ? window + 1 : 0; }); }},
      {"window in the other layers",
       {"qwen2", "gemma2"},
       [](auto& s) { std::ranges::reverse(s.design.windows); }},
      {"no cap on scores", {"gemma2"}, [](auto& s) { s.design.score_cap = 0; }},
      {"scores by the width of a head",
       {"gemma2"},
       [](auto& s) { redesign(s, [](Hyperparameters& shape) { shape.score_divisor = 0; }); }},
  };
}

std::vector<Mutation> rope_mutations() {
  return {
      {"other pairs", kAll, [](auto& s) { s.design.rope_neighbours = !s.design.rope_neighbours; }},
      {"no scaling",
       {"llama", "llama_biased", "qwen2"},
       [](auto& s) { redesign(s, [](Hyperparameters& shape) { shape.rope_scaling = {}; }); }},
      {"linear scaling in place of another",
       {"llama", "qwen2"},
       [](auto& s) {
         redesign(s, [](auto& shape) { shape.rope_scaling.kind = model::RopeScaling::Kind::kLinear; });
       }},
      {"no magnitude", {"qwen2"}, [](auto& s) { s.design.rope.magnitude = 1; }},
      {"the whole head",
       {"glm4", "phi3"},
       [](auto& s) { redesign(s, [](Hyperparameters& shape) { shape.rope_dimension = 0; }); }},
      {"another base", kAll, [](auto& s) { redesign(s, [](auto& shape) { shape.rope_base *= 1.1f; }); }},
  };
}

std::vector<Mutation> feed_forward_mutations() {
  return {
      {"gate for up", kDense, [](auto& s) { swap_tensors(s, {{"ffn_gate", "ffn_up"}}); }},
      {"other activation", kAll, [](auto& s) { s.design.gelu = !s.design.gelu; }},
      {"no norm after", {"glm4", "gemma2"}, [](auto& s) { s.file.shape.post_norms = false; }},
      {"norms after exchanged",
       {"glm4", "gemma2"},
       [](auto& s) { swap_tensors(s, {{"post_attention_norm", "post_ffw_norm"}}); }},
      {"norms before exchanged", kAll, [](auto& s) { swap_tensors(s, {{"attn_norm", "ffn_norm"}}); }},
      {"embeddings not scaled", {"gemma2"}, [](auto& s) { s.design.embedding_scale = 1; }},
      {"no cap on logits", {"gemma2"}, [](auto& s) { s.design.logit_cap = 0; }},
  };
}

std::vector<Mutation> expert_mutations() {
  const std::vector<std::string> models = {"qwen3moe"};
  return {
      {"experts in another order", models,
       [](auto& s) {
         swap_tensors(s,
                      {{"ffn_gate.0", "ffn_gate.1"}, {"ffn_up.0", "ffn_up.1"}, {"ffn_down.0", "ffn_down.1"}});
       }},
      {"one expert's gate for up", models, [](auto& s) { swap_tensors(s, {{"ffn_gate.3", "ffn_up.3"}}); }},
      {"an expert less", models, [](auto& s) { --s.design.experts_used; }},
      {"an expert more", models, [](auto& s) { ++s.design.experts_used; }},
      {"weights not scaled to one", models, [](auto& s) { s.design.expert_weights_normalised = false; }},
  };
}

class Mutations : public testing::TestWithParam<std::vector<Mutation> (*)()> {};

TEST_P(Mutations, FailTheGoldenComparison) {
  for (const Mutation& mutation : GetParam()()) {
    for (const std::string& name : mutation.models) {
      GoldenSubject subject(model::open_model(golden_model(name)).value());
      mutation.make(subject);
      EXPECT_GT(subject.divergence(golden_prompts(name)), 1e-3) << mutation.name << ", " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OfDecoders, Mutations,
                         testing::Values(attention_mutations, rope_mutations, feed_forward_mutations,
                                         expert_mutations));

}  // namespace
}  // namespace feilun::engine
