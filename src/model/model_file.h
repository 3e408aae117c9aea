#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "compute/dtype.h"
#include "model/chat_template.h"
#include "model/pooling.h"
#include "model/tokenizer.h"

namespace feilun::model {

/// A tensor as it lies in its file. `dims[0]` is the fastest (K, the input width); `dims[1]` the rows.
/// `data` belongs to the WeightSource.
struct TensorView {
  std::string name;
  compute::DType type = compute::DType::kF32;
  int rank = 0;
  std::array<int64_t, 4> dims = {1, 1, 1, 1};
  std::span<const std::byte> data;

  int64_t element_count() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
};

/// Where weights come from: memory-mapped GGUF files, or the safetensors of a Hugging Face directory. Names
/// are GGUF's ("blk.0.attn_q.weight") whatever the file calls them. Immutable; any thread may call.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// nullptr when there is none. Pointers stay valid as long as the source.
  virtual const TensorView* find(std::string_view name) const = 0;
  virtual std::span<const TensorView> tensors() const = 0;
  /// Tells the kernel that this tensor's pages will not be read again (after repacking).
  virtual void release(const TensorView& tensor) const = 0;
};

/// Which two elements of a head RoPE turns together.
enum class RopePairs {
  kNeighbours,  ///< (0,1), (2,3)…: llama2.c, and GGUF llama files, whose Q and K rows are permuted
  kHalves,      ///< (0,D/2), (1,D/2+1)…: Hugging Face, and GGUF qwen files
};

/// How RoPE's frequencies are changed for contexts longer than those of the first training (decoder_rope.h).
struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3, kYarn };
  Kind kind = Kind::kNone;
  float factor = 1.0f;
  int original_context = 0;     ///< llama3, yarn: the window of the first training
  float low_frequency = 1.0f;   ///< llama3: turns in that window below which a frequency is divided by factor
  float high_frequency = 4.0f;  ///< llama3: turns above which it stays
  float fast_turns = 32.0f;     ///< yarn: turns above which a frequency stays
  float slow_turns = 1.0f;      ///< yarn: turns below which it is divided
  bool whole_pairs = true;      ///< yarn: the borders are rounded to whole pairs
  float magnitude = 0.0f;       ///< yarn: of the turned pairs; 0: what follows from factor
};

/// A choice of feed-forward blocks for each token, in place of one for all.
struct ExpertShape {
  int count = 0;           ///< 0: there is no choice
  int used = 0;            ///< by one token
  int ffn = 0;             ///< the width inside an expert
  bool normalised = true;  ///< the weights of the used ones sum to one
};

/// What fixes a decoder's shape: which tensors there are, of what size, and the numbers of its formulas.
struct Hyperparameters {
  std::string architecture;  ///< of GGUF: "llama", "qwen3" (family.h)
  int layers = 0;
  int hidden = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int ffn = 0;
  int vocabulary = 0;
  int context = 0;  ///< the trained window, in tokens
  float norm_epsilon = 1e-5f;
  float rope_base = 10000.0f;
  RopePairs rope_pairs = RopePairs::kHalves;
  bool qk_norm = false;
  bool tied_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;  ///< of the attention's output matrix
  bool post_norms = false;   ///< an RMS norm on what attention and feed-forward add, too
  int rope_dimension = 0;    ///< the elements of a head that RoPE turns; 0: all
  RopeScaling rope_scaling;
  bool rope_divisors = false;  ///< the tensor "rope_freqs.weight" divides each pair's frequency
  float score_divisor = 0.0f;  ///< the scores q·k are divided by its root; 0: by head_dim's
  float score_cap = 0.0f;      ///< c: a score s becomes c·tanh(s / c); 0: it stays
  float logit_cap = 0.0f;      ///< the same for logits
  std::vector<int> windows;  ///< of each layer: tokens a query sees, itself the last; 0: all; empty: no layer
                             ///< has one
  ExpertShape experts;
  int positions = 0;    ///< BERT: rows of its table of positions
  int token_types = 0;  ///< BERT: kinds of segments that a token may lie in
};

/// The maker's sampling settings (generation_config.json); used where a request says nothing.
struct SamplingDefaults {
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int> top_k;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
};

/// Everything a model's files say, read and checked, before any of it is computed with.
struct ModelFile {
  std::string name;    ///< the maker's, for display
  std::string format;  ///< "GGUF v3" or "Hugging Face"
  Hyperparameters shape;
  Pooling pooling = Pooling::kNone;  ///< how a text's vector is made, where the model gives vectors
  SamplingDefaults sampling;
  std::vector<TokenId> end_tokens;  ///< any of these ends an answer
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  ///< may be null: no chat endpoint without one
  std::string chat_template_source;
  std::shared_ptr<const WeightSource> weights;

  /// The model turns texts into vectors (encoder.h) and generates nothing.
  bool embeds() const { return pooling != Pooling::kNone; }
};

/// Opens a .gguf file (any part, where a model is split) or a Hugging Face directory. Every size, offset,
/// count and type is checked against the file's end and against the shape: kNotFound, kCorrupt, kUnsupported
/// or kIo with one clear sentence.
Result<ModelFile> open_model(const std::filesystem::path& path);
/// The same for a GGUF that lies in memory (the built-in model); the bytes must outlive the result.
Result<ModelFile> open_model_bytes(std::span<const std::byte> gguf);

}  // namespace feilun::model
