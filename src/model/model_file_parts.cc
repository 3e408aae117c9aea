#include "model/model_file_parts.h"

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "base/log.h"

namespace feilun::model {

Result<std::shared_ptr<const MappedWeights>> MappedWeights::make(
    std::vector<TensorView> tensors, std::vector<std::shared_ptr<const MappedFile>> files) {
  auto weights = std::make_shared<MappedWeights>();
  weights->tensors_ = std::move(tensors);
  weights->files_ = std::move(files);
  for (size_t i = 0; i < weights->tensors_.size(); ++i) {
    TensorView& tensor = weights->tensors_[i];
    if (!weights->by_name_.emplace(tensor.name, i).second) {
      return fail(ErrorCode::kCorrupt, "two tensors are named {}", tensor.name);
    }
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

std::vector<ExpectedTensor> expected_tensors(const Hyperparameters& shape) {
  const int64_t query_width = int64_t{shape.heads} * shape.head_dim;
  const int64_t kv_width = int64_t{shape.kv_heads} * shape.head_dim;
  std::vector<ExpectedTensor> all = {{"token_embd.weight", 2, shape.hidden, shape.vocabulary}};
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    const auto matrix = [&](std::string_view name, int64_t columns, int64_t rows) {
      all.push_back({prefix + std::string(name), 2, columns, rows});
    };
    const auto vector = [&](std::string_view name, int64_t size) {
      all.push_back({prefix + std::string(name), 1, size, 1});
    };
    vector("attn_norm.weight", shape.hidden);
    matrix("attn_q.weight", shape.hidden, query_width);
    matrix("attn_k.weight", shape.hidden, kv_width);
    matrix("attn_v.weight", shape.hidden, kv_width);
    if (shape.qk_norm) {
      vector("attn_q_norm.weight", shape.head_dim);
      vector("attn_k_norm.weight", shape.head_dim);
    }
    matrix("attn_output.weight", query_width, shape.hidden);
    vector("ffn_norm.weight", shape.hidden);
    matrix("ffn_gate.weight", shape.hidden, shape.ffn);
    matrix("ffn_up.weight", shape.hidden, shape.ffn);
    matrix("ffn_down.weight", shape.ffn, shape.hidden);
  }
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
  if (!(shape.norm_epsilon > 0 && shape.norm_epsilon < 1)) {
    return fail(ErrorCode::kCorrupt, "the norms' epsilon is {}", shape.norm_epsilon);
  }
  if (!(std::isfinite(shape.rope_base) && shape.rope_base > 1)) {
    return fail(ErrorCode::kCorrupt, "the RoPE base is {}", shape.rope_base);
  }
  return {};
}

Result<> check_tensors(const Hyperparameters& shape, const WeightSource& weights) {
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
