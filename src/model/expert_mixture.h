#pragma once

#include <vector>

#include "compute/aligned_buffer.h"
#include "model/decoder_design.h"
#include "model/parallel_work.h"

/// A mixture of experts: for each token a router picks a few of many feed-forward blocks.
///
///   p = softmax(h·Wrouter);  out += Σ pₑ·expertₑ(h) over the most probable experts, pₑ scaled to sum to one
///
/// The rows of a batch are sorted by expert, so that each expert's weights are read once for all its rows and
/// all experts are one parallel loop. A row's own sum runs over its experts from the most probable one down,
/// whoever else is in the batch: that keeps the batch invariance of engine/backend.h.

namespace feilun::model {

class ExpertMixture {
 public:
  ExpertMixture(const Hyperparameters& shape, const DecoderDesign& design, ParallelWork& work);

  /// out[row] = the mixture for input[row]; rows of `out` are `stride` floats apart. `input` is quantised
  /// where the experts want that.
  void run(const DecoderLayer& layer, Activations& input, int64_t rows, float* out, int64_t stride);

 private:
  struct Choice {
    int expert;
    float weight;
    int64_t place;  ///< of the row among those sorted by expert
  };

  void choose(const DecoderLayer& layer, Activations& input, int64_t rows);
  void choose_for_row(int64_t row);
  void sort_by_expert(int64_t rows);
  void gather(Activations& input, int64_t rows);
  void run_experts(const DecoderLayer& layer);
  void sum_up(int64_t rows, float* out, int64_t stride);
  Choice* choices(int64_t row) { return &choices_[static_cast<size_t>(row * used_)]; }

  const DecoderDesign& design_;
  ParallelWork& work_;
  int64_t hidden_;
  int64_t ffn_;
  int count_;
  int used_;
  int64_t hidden_stride_;
  int64_t score_stride_;
  compute::AlignedArray<float> scores_;  ///< [rows][score_stride], then probabilities
  std::vector<Choice> choices_;          ///< [rows][used], the most probable first
  std::vector<int64_t> first_;           ///< of each expert: its first row among the sorted, and one past all
  std::vector<int> busy_;                ///< experts that have rows
  Activations gathered_;                 ///< the sorted rows
  Activations gated_;
  compute::AlignedArray<float> outputs_;  ///< [rows · used][hidden_stride]
};

}  // namespace feilun::model
