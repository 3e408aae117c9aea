#pragma once

#include <cstdint>

#include "compute/kernels.h"
#include "compute/thread_pool.h"
#include "model/decoder_activations.h"

namespace feilun::model {

/// What norms, RoPE and quantising cost an element, in multiplications.
inline constexpr int64_t kRowWork = 8;

/// The threads and kernels of a forward pass. Work is divided by row, by head or by output column, never
/// inside a sum, so that the number of threads changes no bit.
class ParallelWork {
 public:
  ParallelWork(compute::ThreadPool& pool, const compute::Kernels& kernels) : pool_(pool), kernels_(kernels) {}

  const compute::Kernels& kernels() const { return kernels_; }

  /// A parallel loop over `count` items, `work` multiplications each; on this thread alone when that is
  /// little.
  template <typename Body>
  void share(int64_t count, int64_t work, Body&& body) {
    if (count * work < kWorthSharing) return body(int64_t{0}, count, 0);
    pool_.parallel_for(count, body);
  }

  /// out[row] (+)= input[row]·linear for the first rows of `input`; rows of `out` are `stride` floats apart.
  void multiply(const Linear& linear, Activations& input, int64_t rows, float* out, int64_t stride, bool add);

 private:
  /// Multiplications below which waking another thread takes longer than they do.
  static constexpr int64_t kWorthSharing = int64_t{1} << 18;

  compute::ThreadPool& pool_;
  const compute::Kernels& kernels_;
};

}  // namespace feilun::model
