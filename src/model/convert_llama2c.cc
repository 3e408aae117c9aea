#include "model/convert_llama2c.h"

#include <cmath>
#include <cstring>

namespace feilun::model {
namespace {

constexpr size_t kHeaderBytes = 7 * sizeof(int32_t);

int32_t load_i32(std::span<const std::byte> bytes, size_t at) {
  int32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Result<Hyperparameters> read_header(std::span<const std::byte> bytes, bool& tied) {
  if (bytes.size() < kHeaderBytes)
    return fail(ErrorCode::kCorrupt, "the checkpoint is too short for its header");
  const auto field = [&](size_t i) { return load_i32(bytes, i * sizeof(int32_t)); };
  if (static_cast<uint32_t>(field(0)) == 0x616b3432u) {
    return fail(ErrorCode::kUnsupported,
                "this is a llama2.c checkpoint of a newer format; export it with version 0");
  }
  Hyperparameters shape;
  shape.architecture = "llama";
  shape.hidden = field(0);
  shape.ffn = field(1);
  shape.layers = field(2);
  shape.heads = field(3);
  shape.kv_heads = field(4);
  // A negative vocabulary says that the output matrix is not the embedding.
  tied = field(5) > 0;
  shape.vocabulary = field(5) > INT32_MIN ? std::abs(field(5)) : 0;
  shape.context = field(6);
  shape.head_dim = shape.heads > 0 ? shape.hidden / shape.heads : 0;
  shape.tied_embeddings = tied;
  shape.rope_pairs = RopePairs::kNeighbours;
  TRY(check_shape(shape));
  if (shape.hidden % shape.heads != 0) {
    return fail(ErrorCode::kCorrupt, "a width of {} does not divide into {} heads", shape.hidden,
                shape.heads);
  }
  return shape;
}

/// Cuts one tensor after the other from the data. check_shape has bounded every factor, so that no product of
/// two of them and the layers overflows 64 bits.
class Cutter {
 public:
  Cutter(std::span<const std::byte> data, std::vector<TensorView>& tensors)
      : data_(data), tensors_(tensors) {}

  Result<> cut(std::string name, int rank, int64_t columns, int64_t rows) {
    TensorView tensor;
    tensor.name = std::move(name);
    tensor.rank = rank;
    tensor.dims = {columns, rows, 1, 1};
    const auto bytes = static_cast<uint64_t>(columns) * static_cast<uint64_t>(rows) * sizeof(float);
    if (bytes > data_.size())
      return fail(ErrorCode::kCorrupt, "the checkpoint ends inside tensor {}", tensor.name);
    tensor.data = data_.first(static_cast<size_t>(bytes));
    data_ = data_.subspan(static_cast<size_t>(bytes));
    tensors_.push_back(std::move(tensor));
    return {};
  }
  Result<> cut_layers(int layers, std::string_view name, int rank, int64_t columns, int64_t rows) {
    for (int i = 0; i < layers; ++i) TRY(cut(fmt::format("blk.{}.{}", i, name), rank, columns, rows));
    return {};
  }
  Result<> skip(uint64_t floats) {
    if (floats > data_.size() / sizeof(float))
      return fail(ErrorCode::kCorrupt, "the checkpoint ends in RoPE's table");
    data_ = data_.subspan(static_cast<size_t>(floats) * sizeof(float));
    return {};
  }

 private:
  std::span<const std::byte> data_;
  std::vector<TensorView>& tensors_;
};

std::string with_space_marks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += "▁";
    } else {
      out += c;
    }
  }
  return out;
}

void classify_tokens(TokenizerSpec& spec) {
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  for (std::string& token : spec.tokens) token = with_space_marks(token);
  for (size_t i = 3; i < std::min<size_t>(spec.tokens.size(), 259); ++i) {
    if (spec.tokens[i] == fmt::format("<0x{:02X}>", i - 3)) spec.kinds[i] = TokenKind::kByte;
  }
  const TokenKind kinds[] = {TokenKind::kUnknown, TokenKind::kControl, TokenKind::kControl};
  const std::string_view texts[] = {"<unk>", "<s>", "</s>"};
  for (size_t i = 0; i < 3; ++i) {
    spec.kinds[i] = kinds[i];
    spec.tokens[i] = texts[i];
  }
}

}  // namespace

Result<Llama2cCheckpoint> parse_llama2c_checkpoint(std::span<const std::byte> bytes) {
  bool tied = false;
  Llama2cCheckpoint checkpoint;
  checkpoint.shape = TRY(read_header(bytes, tied));
  const Hyperparameters& shape = checkpoint.shape;
  const int layers = shape.layers;
  const int64_t hidden = shape.hidden;
  const int64_t kv = int64_t{shape.kv_heads} * shape.head_dim;
  Cutter cutter(bytes.subspan(kHeaderBytes), checkpoint.tensors);
  TRY(cutter.cut("token_embd.weight", 2, hidden, shape.vocabulary));
  TRY(cutter.cut_layers(layers, "attn_norm.weight", 1, hidden, 1));
  TRY(cutter.cut_layers(layers, "attn_q.weight", 2, hidden, hidden));
  TRY(cutter.cut_layers(layers, "attn_k.weight", 2, hidden, kv));
  TRY(cutter.cut_layers(layers, "attn_v.weight", 2, hidden, kv));
  TRY(cutter.cut_layers(layers, "attn_output.weight", 2, hidden, hidden));
  TRY(cutter.cut_layers(layers, "ffn_norm.weight", 1, hidden, 1));
  TRY(cutter.cut_layers(layers, "ffn_gate.weight", 2, hidden, shape.ffn));
  TRY(cutter.cut_layers(layers, "ffn_down.weight", 2, shape.ffn, hidden));
  TRY(cutter.cut_layers(layers, "ffn_up.weight", 2, hidden, shape.ffn));
  TRY(cutter.cut("output_norm.weight", 1, hidden, 1));
  // Cosines and sines of RoPE, which follow from its base.
  TRY(cutter.skip(static_cast<uint64_t>(shape.context) * static_cast<uint64_t>(shape.head_dim)));
  if (!tied) TRY(cutter.cut("output.weight", 2, hidden, shape.vocabulary));
  return checkpoint;
}

Result<TokenizerSpec> parse_llama2c_tokenizer(std::span<const std::byte> bytes, int vocabulary) {
  TokenizerSpec spec;
  spec.family = TokenizerSpec::Family::kSentencePiece;
  if (vocabulary < 3 || static_cast<size_t>(vocabulary) > bytes.size() / 8) {
    return fail(ErrorCode::kCorrupt, "the tokenizer is too short for {} tokens", vocabulary);
  }
  size_t at = sizeof(int32_t);
  for (int i = 0; i < vocabulary; ++i) {
    if (bytes.size() - at < 8)
      return fail(ErrorCode::kCorrupt, "the tokenizer ends at token {} of {}", i, vocabulary);
    float score = 0;
    std::memcpy(&score, bytes.data() + at, sizeof score);
    const int32_t length = load_i32(bytes, at + 4);
    at += 8;
    if (length < 0 || static_cast<size_t>(length) > bytes.size() - at) {
      return fail(ErrorCode::kCorrupt, "token {} of the tokenizer has a length of {}", i, length);
    }
    spec.scores.push_back(score);
    spec.tokens.emplace_back(reinterpret_cast<const char*>(bytes.data()) + at, static_cast<size_t>(length));
    at += static_cast<size_t>(length);
  }
  if (at != bytes.size()) {
    return fail(ErrorCode::kCorrupt, "the tokenizer has more than the model's {} tokens", vocabulary);
  }
  classify_tokens(spec);
  spec.unknown = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  spec.dummy_prefix = true;
  return spec;
}

Result<ModelParts> read_llama2c_model(const std::filesystem::path& checkpoint,
                                      const std::filesystem::path& tokenizer) {
  auto file = TRY(MappedFile::open(checkpoint));
  auto parsed = TRY(parse_llama2c_checkpoint(file->bytes()));
  ModelParts parts;
  parts.file.name = checkpoint.stem().string();
  parts.file.format = "llama2.c";
  parts.file.shape = parsed.shape;
  const auto tokens = TRY(MappedFile::open(tokenizer));
  parts.tokenizer = TRY(parse_llama2c_tokenizer(tokens->bytes(), parsed.shape.vocabulary));
  // Its texts are divided by BOS: where a model writes one, the story is over.
  parts.file.end_tokens = {2, 1};
  parts.file.weights = TRY(MappedWeights::make(std::move(parsed.tensors), {std::move(file)}));
  return parts;
}

}  // namespace feilun::model
