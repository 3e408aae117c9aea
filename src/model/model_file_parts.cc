#include "model/model_file_parts.h"

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "base/log.h"
#include "model/bert_weights.h"

namespace feilun::model {

Result<std::shared_ptr<const MappedWeights>> MappedWeights::make(
    std::vector<TensorView> tensors, std::vector<std::shared_ptr<const MappedFile>> files,
    std::vector<std::unique_ptr<std::byte[]>> copies) {
  auto weights = std::make_shared<MappedWeights>();
  weights->tensors_ = std::move(tensors);
  weights->files_ = std::move(files);
  weights->copies_ = std::move(copies);
  for (size_t i = 0; i < weights->tensors_.size(); ++i) {
    TensorView& tensor = weights->tensors_[i];
    if (!weights->by_name_.emplace(tensor.name, i).second) {
      return fail(ErrorCode::kCorrupt, "two tensors are named {}", tensor.name);
    }
    // All other types are read byte by byte.
    if (tensor.type != compute::DType::kF32) continue;
    if (reinterpret_cast<uintptr_t>(tensor.data.data()) % alignof(float) == 0) continue;
    auto copy = std::make_unique<std::byte[]>(tensor.data.size());
    std::memcpy(copy.get(), tensor.data.data(), tensor.data.size());
    tensor.data = {copy.get(), tensor.data.size()};
    weights->copies_.push_back(std::move(copy));
  }
  return weights;
}

const TensorView* MappedWeights::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

void MappedWeights::release(const TensorView& tensor) const {
  for (const auto& file : files_) file->release(tensor.data);
}

namespace {

/// The tensors of one layer, in the order of their use.
class LayerTensors {
 public:
  LayerTensors(const Hyperparameters& shape, int layer, std::vector<ExpectedTensor>& all)
      : shape_(shape), prefix_(fmt::format("blk.{}.", layer)), all_(all) {}

  void add() {
    add_attention();
    if (shape_.post_norms) vector("post_attention_norm.weight", shape_.hidden);
    vector("ffn_norm.weight", shape_.hidden);
    if (shape_.experts.count > 0) {
      matrix("ffn_gate_inp.weight", shape_.hidden, shape_.experts.count);
      for (int i = 0; i < shape_.experts.count; ++i) {
        add_feed_forward(fmt::format(".{}.weight", i), shape_.experts.ffn);
      }
    } else {
      add_feed_forward(".weight", shape_.ffn);
    }
    if (shape_.post_norms) vector("post_ffw_norm.weight", shape_.hidden);
  }

 private:
  void add_attention() {
    const int64_t query_width = int64_t{shape_.heads} * shape_.head_dim;
    const int64_t kv_width = int64_t{shape_.kv_heads} * shape_.head_dim;
    vector("attn_norm.weight", shape_.hidden);
    matrix("attn_q.weight", shape_.hidden, query_width);
    matrix("attn_k.weight", shape_.hidden, kv_width);
    matrix("attn_v.weight", shape_.hidden, kv_width);
    if (shape_.qkv_bias) {
      vector("attn_q.bias", query_width);
      vector("attn_k.bias", kv_width);
      vector("attn_v.bias", kv_width);
    }
    if (shape_.qk_norm) {
      vector("attn_q_norm.weight", shape_.head_dim);
      vector("attn_k_norm.weight", shape_.head_dim);
    }
    matrix("attn_output.weight", query_width, shape_.hidden);
    if (shape_.output_bias) vector("attn_output.bias", shape_.hidden);
  }
  void add_feed_forward(std::string_view ending, int64_t width) {
    matrix(fmt::format("ffn_gate{}", ending), shape_.hidden, width);
    matrix(fmt::format("ffn_up{}", ending), shape_.hidden, width);
    matrix(fmt::format("ffn_down{}", ending), width, shape_.hidden);
  }
  void matrix(std::string_view name, int64_t columns, int64_t rows) {
    all_.push_back({prefix_ + std::string(name), 2, columns, rows});
  }
  void vector(std::string_view name, int64_t size) {
    all_.push_back({prefix_ + std::string(name), 1, size, 1});
  }

  const Hyperparameters& shape_;
  std::string prefix_;
  std::vector<ExpectedTensor>& all_;
};

}  // namespace

std::vector<ExpectedTensor> expected_tensors(const Hyperparameters& shape) {
  if (shape.architecture == "bert") return expected_bert_tensors(shape);
  std::vector<ExpectedTensor> all = {{"token_embd.weight", 2, shape.hidden, shape.vocabulary}};
  const int turned = shape.rope_dimension > 0 ? shape.rope_dimension : shape.head_dim;
  if (shape.rope_divisors) all.push_back({"rope_freqs.weight", 1, turned / 2, 1});
  for (int layer = 0; layer < shape.layers; ++layer) LayerTensors(shape, layer, all).add();
  all.push_back({"output_norm.weight", 1, shape.hidden, 1});
  if (!shape.tied_embeddings) all.push_back({"output.weight", 2, shape.hidden, shape.vocabulary});
  return all;
}

namespace {

struct Bound {
  std::string_view what;
  int64_t value;
  int64_t max;
};

std::string dims_text(int rank, int64_t columns, int64_t rows) {
  return rank == 1 ? fmt::format("[{}]", columns) : fmt::format("[{}, {}]", columns, rows);
}

std::string dims_text(const TensorView& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.dims.begin(), tensor.dims.begin() + tensor.rank, ", "));
}

Result<> check_rope(const Hyperparameters& shape) {
  if (!(std::isfinite(shape.rope_base) && shape.rope_base > 1)) {
    return fail(ErrorCode::kCorrupt, "the RoPE base is {}", shape.rope_base);
  }
  const int turned = shape.rope_dimension;
  if (turned < 0 || turned > shape.head_dim || turned % 2 != 0) {
    return fail(ErrorCode::kCorrupt, "RoPE over {} of a head's {} elements", turned, shape.head_dim);
  }
  const RopeScaling& scaling = shape.rope_scaling;
  using Kind = RopeScaling::Kind;
  if (scaling.kind == Kind::kNone) return {};
  const auto positive = [](float number) { return std::isfinite(number) && number > 0; };
  bool good = positive(scaling.factor) && std::isfinite(scaling.magnitude) && scaling.magnitude >= 0;
  if (scaling.kind != Kind::kLinear) good = good && scaling.original_context > 0;
  if (scaling.kind == Kind::kLlama3) {
    good = good && positive(scaling.low_frequency) && positive(scaling.high_frequency) &&
           scaling.low_frequency < scaling.high_frequency;
  }
  if (scaling.kind == Kind::kYarn)
    good = good && positive(scaling.fast_turns) && positive(scaling.slow_turns);
  if (!good) return fail(ErrorCode::kCorrupt, "the numbers of RoPE's scaling do not make sense");
  return {};
}

Result<> check_experts(const Hyperparameters& shape) {
  const ExpertShape& experts = shape.experts;
  const bool good =
      experts.count == 0 || (experts.count > 0 && experts.count <= 4096 && experts.used > 0 &&
                             experts.used <= experts.count && experts.ffn > 0 && experts.ffn <= 1 << 22);
  if (good) return {};
  return fail(ErrorCode::kCorrupt, "{} of {} experts of width {} for a token", experts.used, experts.count,
              experts.ffn);
}

Result<> check_windows(const Hyperparameters& shape) {
  if (!shape.windows.empty() && shape.windows.size() != static_cast<size_t>(shape.layers)) {
    return fail(ErrorCode::kCorrupt, "{} windows for {} layers", shape.windows.size(), shape.layers);
  }
  for (const int window : shape.windows) {
    if (window < 0) return fail(ErrorCode::kCorrupt, "a window of {} tokens", window);
  }
  return {};
}

Result<> check_tensor(const ExpectedTensor& expected, const WeightSource& weights) {
  const TensorView* tensor = weights.find(expected.name);
  if (tensor == nullptr) {
    return fail(ErrorCode::kCorrupt, "tensor {} of shape {} is missing", expected.name,
                dims_text(expected.rank, expected.columns, expected.rows));
  }
  const bool fits = tensor->rank == expected.rank && tensor->dims[0] == expected.columns &&
                    tensor->dims[1] == expected.rows;
  if (!fits) {
    return fail(ErrorCode::kCorrupt, "tensor {} has the shape {}, but the model's settings need {}",
                expected.name, dims_text(*tensor), dims_text(expected.rank, expected.columns, expected.rows));
  }
  return {};
}

std::string token_text(const TokenizerSpec& spec, TokenId id) {
  return id < 0 || static_cast<size_t>(id) >= spec.tokens.size() ? "" : spec.tokens[static_cast<size_t>(id)];
}

}  // namespace

Result<> check_shape(const Hyperparameters& shape) {
  const Bound bounds[] = {
      {"layers", shape.layers, 1024},
      {"the hidden width", shape.hidden, 1 << 20},
      {"attention heads", shape.heads, 4096},
      {"key/value heads", shape.kv_heads, 4096},
      {"the width of a head", shape.head_dim, 4096},
      {"the feed-forward width", shape.ffn, 1 << 22},
      {"the vocabulary", shape.vocabulary, 1 << 24},
      {"the context", shape.context, 1 << 28},
  };
  for (const Bound& bound : bounds) {
    if (bound.value >= 1 && bound.value <= bound.max) continue;
    return fail(ErrorCode::kCorrupt, "the model's settings give {} for {}, which must be from 1 to {}",
                bound.value, bound.what, bound.max);
  }
  if (shape.heads % shape.kv_heads != 0) {
    return fail(ErrorCode::kCorrupt, "{} attention heads cannot share {} key/value heads", shape.heads,
                shape.kv_heads);
  }
  if (shape.head_dim % 2 != 0) {
    return fail(ErrorCode::kCorrupt, "a head's width of {} is odd", shape.head_dim);
  }
  TRY(check_rope(shape));
  TRY(check_experts(shape));
  TRY(check_windows(shape));
  for (const float number : {shape.score_divisor, shape.score_cap, shape.logit_cap}) {
    if (std::isfinite(number) && number >= 0) continue;
    return fail(ErrorCode::kCorrupt, "a cap or divisor of the scores is {}", number);
  }
  if (!(shape.norm_epsilon > 0 && shape.norm_epsilon < 1)) {
    return fail(ErrorCode::kCorrupt, "the norms' epsilon is {}", shape.norm_epsilon);
  }
  return {};
}

Result<> check_tensors(const Hyperparameters& shape, const WeightSource& weights) {
  // First by number: a few words of a file may ask for millions of tensors, and each name takes memory.
  const int64_t blocks = int64_t{shape.layers} * std::max(1, shape.experts.count);
  if (const auto there = static_cast<int64_t>(weights.tensors().size()); there < blocks) {
    return fail(ErrorCode::kCorrupt, "the model's shape asks for more than {} tensors, its files have {}",
                blocks, there);
  }
  std::unordered_set<std::string> used;
  for (const ExpectedTensor& expected : expected_tensors(shape)) {
    TRY(check_tensor(expected, weights));
    used.insert(expected.name);
  }
  for (const TensorView& tensor : weights.tensors()) {
    if (used.contains(tensor.name)) continue;
    return fail(ErrorCode::kUnsupported,
                "the model has a tensor {}, which the {} architecture of this version does not compute with",
                tensor.name, shape.architecture);
  }
  return {};
}

Result<> check_sampling(const SamplingDefaults& sampling) {
  const auto within = [](const auto& value, auto low, auto high) {
    return !value || (*value >= low && *value <= high);
  };
  if (!within(sampling.temperature, 0.0f, 100.0f))
    return fail(ErrorCode::kCorrupt, "the model's default temperature is absurd");
  if (!within(sampling.top_p, 0.0f, 1.0f))
    return fail(ErrorCode::kCorrupt, "the model's default top_p is not from 0 to 1");
  if (!within(sampling.min_p, 0.0f, 1.0f))
    return fail(ErrorCode::kCorrupt, "the model's default min_p is not from 0 to 1");
  if (!within(sampling.top_k, -1, INT32_MAX))
    return fail(ErrorCode::kCorrupt, "the model's default top_k is negative");
  if (!within(sampling.repetition_penalty, 0.01f, 100.0f)) {
    return fail(ErrorCode::kCorrupt, "the model's default repetition penalty is absurd");
  }
  return {};
}

Result<ModelFile> finish_model(ModelParts parts) {
  ModelFile& file = parts.file;
  TRY(check_shape(file.shape));
  TRY(check_sampling(file.sampling));
  TRY(check_tensors(file.shape, *file.weights));
  const std::string bos = token_text(parts.tokenizer, parts.tokenizer.bos);
  const std::string eos = token_text(parts.tokenizer, parts.tokenizer.eos);
  file.tokenizer = TRY(make_tokenizer(std::move(parts.tokenizer), file.shape.vocabulary));
  for (const TokenId id : file.end_tokens) {
    if (id < 0 || id >= file.shape.vocabulary) {
      return fail(ErrorCode::kCorrupt, "the end token {} is outside the vocabulary of {}", id,
                  file.shape.vocabulary);
    }
  }
  if (!file.chat_template_source.empty()) {
    auto compiled = ChatTemplate::compile(file.chat_template_source, bos, eos);
    if (compiled) {
      file.chat_template = std::move(*compiled);
    } else {
      spdlog::warn("{}: no chat, for its template is not understood: {}", file.name,
                   compiled.error().message);
    }
  }
  return std::move(file);
}

}  // namespace feilun::model
