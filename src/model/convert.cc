#include "model/convert.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "compute/dequantise.h"
#include "compute/row_converter.h"
#include "model/convert_llama2c.h"
#include "model/gguf_layout.h"
#include "model/model_file_parts.h"

namespace feilun::model {
namespace {

using compute::DType;

/// GGUF's number for "mostly of this type".
uint32_t file_type(DType type) {
  switch (type) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ4_1:
      return 3;
    case DType::kQ8_0:
      return 7;
    case DType::kQ5_0:
      return 8;
    case DType::kQ5_1:
      return 9;
    case DType::kQ4_K:
      return 15;
    case DType::kQ5_K:
      return 17;
    case DType::kQ6_K:
      return 18;
    case DType::kBF16:
      return 32;
  }
  return 0;
}

Result<> write_shape(const ModelFile& file, DType matrix_type, GgufWriter& writer) {
  const Hyperparameters& shape = file.shape;
  writer.set_string("general.architecture", shape.architecture);
  writer.set_string("general.name", file.name);
  writer.set_u32("general.file_type", file_type(matrix_type));
  writer.set_u32("general.quantization_version", 2);
  return write_gguf_shape(shape, writer);
}

void write_sampling(const SamplingDefaults& sampling, GgufWriter& writer) {
  if (sampling.temperature) writer.set_f32("general.sampling.temp", *sampling.temperature);
  if (sampling.top_p) writer.set_f32("general.sampling.top_p", *sampling.top_p);
  if (sampling.top_k)
    writer.set_u32("general.sampling.top_k", static_cast<uint32_t>(std::max(0, *sampling.top_k)));
  if (sampling.min_p) writer.set_f32("general.sampling.min_p", *sampling.min_p);
  if (sampling.repetition_penalty)
    writer.set_f32("general.sampling.penalty_repeat", *sampling.repetition_penalty);
}

/// Readers that merge by score alone choose as the ranks do when a token's score is minus the rank of the
/// first merge that makes it.
std::vector<float> scores_of(const TokenizerSpec& spec) {
  if (spec.merges.empty()) return spec.scores;
  std::unordered_map<std::string, size_t> rank;
  for (size_t i = 0; i < spec.merges.size(); ++i)
    rank.emplace(spec.merges[i].first + spec.merges[i].second, i + 1);
  std::vector<float> scores;
  for (const std::string& token : spec.tokens) {
    const auto found = rank.find(token);
    scores.push_back(found == rank.end() ? 0.0f : -static_cast<float>(found->second));
  }
  return scores;
}

void write_tokens(TokenizerSpec spec, int vocabulary, GgufWriter& writer) {
  spec.kinds.resize(spec.tokens.size(), TokenKind::kNormal);
  spec.tokens.resize(static_cast<size_t>(vocabulary));
  spec.kinds.resize(static_cast<size_t>(vocabulary), TokenKind::kUnused);
  if (!spec.scores.empty()) spec.scores.resize(static_cast<size_t>(vocabulary));
  std::vector<int32_t> kinds;
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    // Other readers want every token to have a text of its own.
    if (spec.kinds[i] == TokenKind::kUnused && spec.tokens[i].empty())
      spec.tokens[i] = fmt::format("[PAD{}]", i);
    kinds.push_back(static_cast<int32_t>(spec.kinds[i]));
  }
  writer.set_strings("tokenizer.ggml.tokens", spec.tokens);
  writer.set_i32s("tokenizer.ggml.token_type", kinds);
  if (spec.family == TokenizerSpec::Family::kSentencePiece) {
    writer.set_f32s("tokenizer.ggml.scores", scores_of(spec));
  }
  std::vector<std::string> merges;
  for (const auto& [left, right] : spec.merges) merges.push_back(left + " " + right);
  if (!merges.empty()) writer.set_strings("tokenizer.ggml.merges", merges);
}

void write_tokenizer(const ModelParts& parts, GgufWriter& writer) {
  const TokenizerSpec& spec = parts.tokenizer;
  const bool pieces = spec.family == TokenizerSpec::Family::kSentencePiece;
  writer.set_string("tokenizer.ggml.model", pieces ? "llama" : "gpt2");
  writer.set_string("tokenizer.ggml.pre", pieces ? "default" : spec.pre);
  write_tokens(spec, parts.file.shape.vocabulary, writer);
  const auto id = [&](std::string_view key, TokenId token) {
    if (token >= 0) writer.set_u32(key, static_cast<uint32_t>(token));
  };
  const auto& ends = parts.file.end_tokens;
  const TokenId eos = spec.eos >= 0 ? spec.eos : ends.empty() ? -1 : ends.front();
  const auto other = std::ranges::find_if(ends, [&](TokenId end) { return end != eos; });
  id("tokenizer.ggml.bos_token_id", spec.bos);
  id("tokenizer.ggml.eos_token_id", eos);
  id("tokenizer.ggml.eot_token_id", other == ends.end() ? -1 : *other);
  id("tokenizer.ggml.unknown_token_id", spec.unknown);
  id("tokenizer.ggml.padding_token_id", spec.padding);
  writer.set_bool("tokenizer.ggml.add_bos_token", spec.add_bos);
  if (pieces) writer.set_bool("tokenizer.ggml.add_space_prefix", spec.dummy_prefix);
  writer.set_i32s("feilun.end_token_ids", ends);
  if (!parts.file.chat_template_source.empty()) {
    writer.set_string("tokenizer.chat_template", parts.file.chat_template_source);
  }
}

/// Writes rows of a matrix: those of its parts one after the other, in the order of `tensor`.
GgufWriter::FillRows fill_matrix(GgufTensor tensor, std::vector<const TensorView*> parts, DType type) {
  std::vector<int64_t> ends;  // rows up to the end of each part
  for (const TensorView* part : parts) {
    ends.push_back((ends.empty() ? 0 : ends.back()) + part->element_count() / tensor.dims[0]);
  }
  return [=, tensor = std::move(tensor)](int64_t first, int64_t rows, std::span<std::byte> out) {
    const int64_t columns = tensor.dims[0];
    const size_t to_bytes = compute::stored_bytes(type, columns);
    const TensorView* part = nullptr;
    std::optional<compute::RowConverter> converter;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = tensor.source_row(first + i);
      const auto at = static_cast<size_t>(std::ranges::upper_bound(ends, row) - ends.begin());
      if (part != parts[at]) converter.emplace(parts[at]->type, type, columns);
      part = parts[at];
      const size_t from_bytes = compute::stored_bytes(part->type, columns);
      const auto in_part = static_cast<size_t>(row - (at == 0 ? 0 : ends[at - 1]));
      const auto converted = converter->convert(part->data.subspan(in_part * from_bytes, from_bytes));
      std::ranges::copy(converted, out.begin() + i * static_cast<int64_t>(to_bytes));
    }
  };
}

/// Vectors are small and stored as F32.
GgufWriter::FillRows fill_vector(const GgufTensor& tensor, const TensorView* part) {
  std::vector<float> values = tensor.values;
  if (part != nullptr) {
    std::vector<float> stored(static_cast<size_t>(part->element_count()));
    compute::dequantise(part->type, part->data, stored);
    for (size_t i = 0; i < stored.size(); ++i) {
      values.push_back(stored[static_cast<size_t>(tensor.source_row(static_cast<int64_t>(i)))]);
    }
  }
  return [values = std::move(values)](int64_t, int64_t, std::span<std::byte> out) {
    std::memcpy(out.data(), values.data(), out.size());
  };
}

DType stored_type(const GgufTensor& tensor, std::span<const TensorView* const> parts,
                  std::optional<DType> wanted) {
  if (tensor.rank == 1) return DType::kF32;
  DType type = parts.front()->type;
  for (const TensorView* part : parts) {
    if (part->type != type) type = DType::kF16;
  }
  // The choice of experts is too small to be worth a rounding error.
  const bool router = tensor.name.ends_with(".ffn_gate_inp.weight");
  if (wanted) type = router ? DType::kF32 : *wanted;
  return tensor.dims[0] % compute::block_layout(type).elements == 0 ? type : DType::kF16;
}

Result<> write_model(const ModelParts& parts, std::optional<DType> type, const std::filesystem::path& out,
                     const WriteProgress& progress) {
  const Hyperparameters& shape = parts.file.shape;
  TRY(check_shape(shape));
  TRY(check_tensors(shape, *parts.file.weights));
  TRY(make_tokenizer(parts.tokenizer, shape.vocabulary));
  TRY(check_fits_gguf(parts.tokenizer));
  const TensorView* sample = parts.file.weights->find("blk.0.attn_output.weight");
  GgufWriter writer;
  TRY(write_shape(parts.file, type.value_or(sample->type), writer));
  write_sampling(parts.file.sampling, writer);
  write_tokenizer(parts, writer);
  for (const GgufTensor& tensor : gguf_layout(shape)) {
    std::vector<const TensorView*> sources;
    for (const std::string& name : tensor.parts) sources.push_back(parts.file.weights->find(name));
    TensorView stored{.name = tensor.name, .rank = tensor.rank, .dims = tensor.dims};
    stored.type = stored_type(tensor, sources, type);
    writer.add_tensor(stored, tensor.rank == 1
                                  ? fill_vector(tensor, sources.empty() ? nullptr : sources.front())
                                  : fill_matrix(tensor, std::move(sources), stored.type));
  }
  return writer.write(out, progress);
}

}  // namespace

Result<DType> parse_quant_name(std::string_view name) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    if (std::ranges::equal(compute::dtype_name(type), name, same)) return type;
  }
  return fail(ErrorCode::kInvalidArgument, "\"{}\" is not f32, f16, bf16, q8_0 or q4_0", name);
}

Result<> convert_llama2c(const std::filesystem::path& checkpoint, const std::filesystem::path& tokenizer,
                         const std::filesystem::path& out, const WriteProgress& progress) {
  const ModelParts parts = TRY(read_llama2c_model(checkpoint, tokenizer));
  return write_model(parts, DType::kF32, out, progress);
}

Result<> convert_model(const std::filesystem::path& model, std::optional<DType> type,
                       const std::filesystem::path& out, const WriteProgress& progress) {
  const ModelParts parts = TRY(read_model_parts(model));
  if (parts.file.embeds()) {
    return fail(
        ErrorCode::kUnsupported,
        "models that give vectors are not converted; serve this one as it is, --quant makes it smaller");
  }
  return write_model(parts, type, out, progress);
}

}  // namespace feilun::model
