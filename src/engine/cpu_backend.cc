#include "engine/cpu_backend.h"

#include <limits>
#include <utility>

#include "compute/isa.h"
#include "model/decoder_weights.h"

namespace feilun::engine {
namespace {

static_assert(Backend::kBlockTokens == compute::kKvBlockTokens);

}  // namespace

CpuBackend::CpuBackend(int threads, compute::PagedKv cache, int vocabulary)
    : pool_(threads), cache_(std::move(cache)), vocabulary_(vocabulary) {}

Result<std::unique_ptr<Backend>> CpuBackend::make(const model::ModelFile& file,
                                                  const BackendOptions& options) {
  if (options.kv_blocks < 1 || options.kv_blocks > std::numeric_limits<int32_t>::max()) {
    return fail(ErrorCode::kInvalidArgument, "a KV cache of {} blocks", options.kv_blocks);
  }
  const compute::Kernels& kernels = compute::kernels_for(TRY(compute::choose_isa()));
  model::DecoderDesign design = TRY(model::decoder_design(file));
  compute::PagedKv cache = TRY(
      compute::PagedKv::allocate(model::Decoder::kv_shape(file.shape, options.kv_bf16), options.kv_blocks));
  std::unique_ptr<CpuBackend> backend(
      new CpuBackend(options.threads, std::move(cache), file.shape.vocabulary));
  backend->decoder_ = TRY(model::Decoder::load(file, std::move(design), conversion_of(options.quantise),
                                               backend->pool_, kernels));
  return backend;
}

std::span<const float> CpuBackend::forward(std::span<const SequenceSlice> slices) {
  slices_.clear();
  for (const SequenceSlice& slice : slices) {
    slices_.push_back(
        {.tokens = slice.tokens, .position = slice.position, .blocks = slice.blocks, .logits = slice.logits});
  }
  return decoder_->forward(slices_, cache_);
}

int64_t kv_block_bytes(const model::Hyperparameters& shape, bool kv_bf16) {
  return model::Decoder::kv_shape(shape, kv_bf16).block_bytes();
}

int64_t weight_bytes(const model::ModelFile& file, Quantise quantise) {
  return model::decoder_weight_bytes(file, conversion_of(quantise));
}

Result<std::unique_ptr<Backend>> make_cpu_backend(const model::ModelFile& file,
                                                  const BackendOptions& options) {
  return CpuBackend::make(file, options);
}

}  // namespace feilun::engine
