#include "model/parallel_work.h"

#include <algorithm>

namespace feilun::model {

using compute::kPanelColumns;

void ParallelWork::multiply(const Linear& linear, Activations& input, int64_t rows, float* out,
                            int64_t stride, bool add) {
  if (rows == 0) return;
  share(linear.panels, rows * linear.parts.front().depth() * kPanelColumns,
        [&](int64_t begin, int64_t end, int) {
          int64_t first = 0;  // panel 0 of the part, counted over the whole
          for (size_t part = 0; part < linear.parts.size(); ++part) {
            const int64_t panels = linear.parts[part].panels();
            const int64_t from = std::max(begin, first) - first;
            const int64_t to = std::min(end, first + panels) - first;
            if (from < to) {
              compute::MatmulJob job = panel_job(linear, part, from, to - from, input, 0, rows);
              job.out = out + linear.offsets[part] + from * kPanelColumns;
              job.out_stride = stride;
              job.add = add;
              kernels_.matmul(job);
            }
            first += panels;
          }
        });
}

}  // namespace feilun::model
