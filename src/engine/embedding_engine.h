#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "model/encoder.h"

namespace feilun::engine {

/// Texts to be turned into vectors, as one request brings them.
struct EmbeddingJob {
  std::string id;                            ///< unique among live jobs
  std::vector<std::vector<TokenId>> inputs;  ///< none empty, all in the vocabulary
};

/// How a job ended.
struct EmbeddingResult {
  FinishReason finish = FinishReason::kStop;  ///< kStop, kCancelled or kFailed
  std::vector<float> vectors;                 ///< [inputs][width], each of length one; with kStop alone
  EngineUsage usage;                          ///< of the inputs that went through the model
  Error error;                                ///< for kFailed
};

/// Hears of a job once, on the engine's thread: must not block, may post elsewhere.
using EmbeddingSink = std::move_only_function<void(EmbeddingResult)>;

/// The first numbers of a vector, as many as `out` has room for, brought to a length of one again: what
/// models trained for it (Matryoshka) give as their shorter vectors.
void shorten(std::span<const float> vector, std::span<float> out);

/// One model that turns texts into vectors, on a thread of its own. A pass takes waiting inputs from all jobs
/// in turn, one of each at a time, so that a job of one text does not wait for another's two thousand.
/// All methods may be called from any thread and return without waiting for a pass.
class EmbeddingEngine {
 public:
  /// Tokens of all live jobs together: a job that would pass this is refused while another one lives.
  static constexpr TokenCount kTokensMax = TokenCount{1} << 22;
  /// Bytes of the results of all live jobs together, whole as they will be: the same holds for them.
  static constexpr int64_t kResultBytesMax = int64_t{256} << 20;

  /// Checks that the model fits into memory, loads it, and starts the thread. Of the options, a pass takes
  /// `prefill_chunk` tokens (or one input that is longer) of at most `max_sequences` inputs; `max_waiting`
  /// bounds the live jobs. A window of more than the model's own is the model's own; one that was not asked
  /// for is as long as `kv_memory_bytes` allows.
  static Result<std::unique_ptr<EmbeddingEngine>> start(model::ModelFile file, EngineOptions options);
  virtual ~EmbeddingEngine() = default;  ///< cancels all jobs and joins the thread

  /// kInvalidArgument, kContextLengthExceeded (message with both numbers), kOverloaded or kConflict (the id
  /// is live); then the sink hears nothing.
  virtual Result<> submit(EmbeddingJob job, EmbeddingSink sink) = 0;
  /// Takes effect after the running pass, or, when no other job waits for that, at its next chunk of tokens
  /// or layer; what went through the whole model counts as computed. Unknown ids are ignored.
  virtual void cancel(std::string_view id) = 0;

  /// The tokens of a text as the model wants it framed; of more than counted_at_most(context()) more than so
  /// many that mean nothing.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  virtual const model::ModelFile& file() const = 0;
  virtual int width() const = 0;        ///< of a vector
  virtual int64_t context() const = 0;  ///< tokens of one input at most
  virtual EngineStats stats() const = 0;
};

/// An engine over an encoder that is already there: start() ends here; tests bring their own encoder.
/// `options.context` 0 means the model's own window.
std::unique_ptr<EmbeddingEngine> make_embedding_engine(model::ModelFile file,
                                                       std::unique_ptr<model::Encoder> encoder,
                                                       EngineOptions options);

}  // namespace feilun::engine
