#pragma once

#include <memory>
#include <vector>

#include "compute/paged_kv.h"
#include "compute/thread_pool.h"
#include "engine/backend.h"
#include "model/decoder.h"

namespace feilun::engine {

/// A forward pass on this machine's processors: a decoder, its paged cache, and threads of their own.
class CpuBackend final : public Backend {
 public:
  static Result<std::unique_ptr<Backend>> make(const model::ModelFile& file, const BackendOptions& options);

  int vocabulary_size() const override { return vocabulary_; }
  int block_count() const override { return static_cast<int>(cache_.blocks()); }
  std::span<const float> forward(std::span<const SequenceSlice> slices) override;

 private:
  CpuBackend(int threads, compute::PagedKv cache, int vocabulary);

  compute::ThreadPool pool_;
  compute::PagedKv cache_;
  int vocabulary_;
  std::unique_ptr<model::Decoder> decoder_;
  std::vector<model::DecoderSlice> slices_;
};

}  // namespace feilun::engine
