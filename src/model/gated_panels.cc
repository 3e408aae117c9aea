#include "model/gated_panels.h"

#include <algorithm>
#include <utility>

namespace feilun::model {

using compute::kPanelColumns;

void gate_panel(const compute::Kernels& kernels, const DecoderDesign& design, const FeedForwardWeights& block,
                int64_t panel, Activations& input, int64_t first_row, int64_t rows, Activations& gated) {
  constexpr int64_t kRowsTogether = 48;
  alignas(64) float gate[kRowsTogether * kPanelColumns];
  alignas(64) float up[kRowsTogether * kPanelColumns];
  const auto activate = design.gelu ? kernels.geglu : kernels.swiglu;
  for (int64_t first = first_row; first < first_row + rows; first += kRowsTogether) {
    const int64_t count = std::min(kRowsTogether, first_row + rows - first);
    for (const auto& [linear, out] : {std::pair{&block.gate, gate}, std::pair{&block.up, up}}) {
      compute::MatmulJob job = panel_job(*linear, 0, panel, 1, input, first, count);
      job.out = out;
      job.out_stride = kPanelColumns;
      kernels.matmul(job);
    }
    activate(gate, up, count * kPanelColumns, gate);
    for (int64_t i = 0; i < count; ++i) {
      gated.put(kernels, block.down, first + i, panel * kPanelColumns, gate + i * kPanelColumns,
                kPanelColumns);
    }
  }
}

}  // namespace feilun::model
