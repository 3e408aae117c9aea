#include "model/convert.h"

#include <algorithm>
#include <unordered_map>

#include "compute/row_converter.h"
#include "model/convert_llama2c.h"
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

void write_shape(const ModelFile& file, DType matrix_type, GgufWriter& writer) {
  const Hyperparameters& shape = file.shape;
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", shape.architecture, name); };
  const auto number = [](int value) { return static_cast<uint32_t>(value); };
  writer.set_string("general.architecture", shape.architecture);
  writer.set_string("general.name", file.name);
  writer.set_u32("general.file_type", file_type(matrix_type));
  writer.set_u32("general.quantization_version", 2);
  writer.set_u32(key("block_count"), number(shape.layers));
  writer.set_u32(key("context_length"), number(shape.context));
  writer.set_u32(key("embedding_length"), number(shape.hidden));
  writer.set_u32(key("feed_forward_length"), number(shape.ffn));
  writer.set_u32(key("attention.head_count"), number(shape.heads));
  writer.set_u32(key("attention.head_count_kv"), number(shape.kv_heads));
  writer.set_u32(key("attention.key_length"), number(shape.head_dim));
  writer.set_u32(key("attention.value_length"), number(shape.head_dim));
  writer.set_f32(key("attention.layer_norm_rms_epsilon"), shape.norm_epsilon);
  writer.set_u32(key("rope.dimension_count"), number(shape.head_dim));
  writer.set_f32(key("rope.freq_base"), shape.rope_base);
  writer.set_u32(key("vocab_size"), number(shape.vocabulary));
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

/// Where a row of a GGUF file comes from. Files that turn the halves of a head together are reordered for
/// llama, whose GGUF form turns neighbours: row 2j + h of a head is row h·D/2 + j.
struct RowOrder {
  int64_t head_dim = 0;  ///< 0: as they are
  int64_t source(int64_t row) const {
    if (head_dim == 0) return row;
    const int64_t at = row % head_dim;
    return row - at + at % 2 * (head_dim / 2) + at / 2;
  }
};

GgufWriter::FillRows fill_from(const TensorView& source, DType type, RowOrder order) {
  return [&source, type, order](int64_t first, int64_t rows, std::span<std::byte> out) {
    const int64_t columns = source.dims[0];
    const size_t from_bytes = compute::stored_bytes(source.type, columns);
    const size_t to_bytes = compute::stored_bytes(type, columns);
    compute::RowConverter converter(source.type, type, columns);
    for (int64_t i = 0; i < rows; ++i) {
      const auto at = static_cast<size_t>(order.source(first + i)) * from_bytes;
      const auto row = converter.convert(source.data.subspan(at, from_bytes));
      std::ranges::copy(row, out.begin() + i * static_cast<int64_t>(to_bytes));
    }
  };
}

DType stored_type(const TensorView& source, std::optional<DType> wanted) {
  if (source.rank == 1) return DType::kF32;
  const DType type = wanted.value_or(source.type);
  return source.dims[0] % compute::block_layout(type).elements == 0 ? type : DType::kF16;
}

Result<> write_model(const ModelParts& parts, std::optional<DType> type, const std::filesystem::path& out,
                     const WriteProgress& progress) {
  const Hyperparameters& shape = parts.file.shape;
  TRY(check_shape(shape));
  TRY(check_tensors(shape, *parts.file.weights));
  TRY(make_tokenizer(parts.tokenizer, shape.vocabulary));
  const TensorView* sample = parts.file.weights->find("blk.0.ffn_down.weight");
  GgufWriter writer;
  write_shape(parts.file, type.value_or(sample->type), writer);
  write_sampling(parts.file.sampling, writer);
  write_tokenizer(parts, writer);
  const bool reorders = shape.architecture == "llama" && shape.rope_pairs == RopePairs::kHalves;
  for (const ExpectedTensor& expected : expected_tensors(shape)) {
    const TensorView& source = *parts.file.weights->find(expected.name);
    const bool turned =
        expected.name.ends_with(".attn_q.weight") || expected.name.ends_with(".attn_k.weight");
    TensorView stored = source;
    stored.type = stored_type(source, type);
    stored.data = {};
    writer.add_tensor(stored, fill_from(source, stored.type, {reorders && turned ? shape.head_dim : 0}));
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
  return write_model(parts, type, out, progress);
}

}  // namespace feilun::model
