#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "engine/quantise.h"
#include "model/model_file.h"

namespace feilun::engine {

using model::TokenId;

/// Tokens of one sequence in one forward pass: a prefill chunk, or the one token of a decode.
struct SequenceSlice {
  std::span<const TokenId> tokens;  ///< at least one
  int64_t position = 0;             ///< of tokens[0] in its sequence
  std::span<const int32_t> blocks;  ///< KV block table: entry i holds positions [16i, 16i + 16); covers every
                                    ///< position up to the last token of this slice
  int logits = 0;                   ///< of how many of its last tokens they are wanted
};

/// Where a forward pass runs. The scheduler never knows. Used by one thread at a time.
///
/// Contract of batch invariance: what a sequence gets depends on its own tokens alone, bit for bit: not on
/// the other slices of a pass, not on how its prompt was cut into chunks, not on which blocks it was given.
class Backend {
 public:
  static constexpr int kBlockTokens = 16;

  virtual ~Backend() = default;
  virtual int vocabulary_size() const = 0;
  /// KV blocks that the memory budget holds.
  virtual int block_count() const = 0;
  /// Runs all slices in one pass over the weights. Returns the raw logits of the tokens of which they are
  /// wanted, in order, vocabulary_size() floats each; they stay valid until the next call.
  virtual std::span<const float> forward(std::span<const SequenceSlice> slices) = 0;
};

/// How a CPU backend is made.
struct BackendOptions {
  Quantise quantise = Quantise::kAsStored;
  bool kv_bf16 = true;    ///< false: F32
  int64_t kv_blocks = 0;  ///< ≥ 1
  int threads = 1;
};

/// Bytes that one KV block (16 tokens, all layers, K and V) takes.
int64_t kv_block_bytes(const model::Hyperparameters& shape, bool kv_bf16);
/// Bytes the weights take once loaded.
int64_t weight_bytes(const model::ModelFile& file, Quantise quantise);
/// Loads the weights (repacked for the machine's instruction set) and reserves the KV cache.
Result<std::unique_ptr<Backend>> make_cpu_backend(const model::ModelFile& file,
                                                  const BackendOptions& options);

}  // namespace feilun::engine
