#include "model/expert_mixture.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "model/gated_panels.h"

namespace feilun::model {

using compute::kPanelColumns;

ExpertMixture::ExpertMixture(const Hyperparameters& shape, const DecoderDesign& design, ParallelWork& work)
    : design_(design),
      work_(work),
      hidden_(shape.hidden),
      ffn_(shape.experts.ffn),
      count_(shape.experts.count),
      used_(design.experts_used),
      hidden_stride_(padded_to_panels(shape.hidden)),
      score_stride_(padded_to_panels(shape.experts.count)),
      gathered_(shape.hidden),
      gated_(shape.experts.ffn) {
  CHECK(used_ >= 0 && used_ <= count_);
}

void ExpertMixture::run(const DecoderLayer& layer, Activations& input, int64_t rows, float* out,
                        int64_t stride) {
  choose(layer, input, rows);
  sort_by_expert(rows);
  gather(input, rows);
  run_experts(layer);
  sum_up(rows, out, stride);
}

void ExpertMixture::choose(const DecoderLayer& layer, Activations& input, int64_t rows) {
  CHECK(scores_.reserve(static_cast<size_t>(rows * score_stride_)));
  choices_.resize(static_cast<size_t>(rows * used_));
  work_.multiply(layer.router, input, rows, scores_.data(), score_stride_, false);
  work_.share(rows, int64_t{used_} * count_, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) choose_for_row(row);
  });
}

void ExpertMixture::choose_for_row(int64_t row) {
  float* scores = scores_.data() + row * score_stride_;
  const float most = *std::max_element(scores, scores + count_);
  float all = 0;
  for (int i = 0; i < count_; ++i) all += scores[i] = std::exp(scores[i] - most);
  Choice* chosen = choices(row);
  float total = 0;
  for (int rank = 0; rank < used_; ++rank) {
    // Of equals the first. One that was taken is −1; scores that are no numbers still give each another.
    int best = 0;
    for (int i = 1; i < count_; ++i) {
      if (scores[best] == -1.0f || scores[i] > scores[best]) best = i;
    }
    chosen[rank] = {.expert = best, .weight = scores[best] / all, .place = 0};
    total += chosen[rank].weight;
    scores[best] = -1.0f;
  }
  if (!design_.expert_weights_normalised) return;
  for (int rank = 0; rank < used_; ++rank) chosen[rank].weight /= total;
}

void ExpertMixture::sort_by_expert(int64_t rows) {
  first_.assign(static_cast<size_t>(count_) + 1, 0);
  for (const Choice& choice : choices_) ++first_[static_cast<size_t>(choice.expert) + 1];
  busy_.clear();
  for (int i = 0; i < count_; ++i) {
    const auto at = static_cast<size_t>(i);
    if (first_[at + 1] > 0) busy_.push_back(i);
    first_[at + 1] += first_[at];
  }
  std::vector<int64_t> next(first_.begin(), first_.end() - 1);
  for (int64_t i = 0; i < rows * used_; ++i) {
    Choice& choice = choices_[static_cast<size_t>(i)];
    choice.place = next[static_cast<size_t>(choice.expert)]++;
  }
}

void ExpertMixture::gather(Activations& input, int64_t rows) {
  const int64_t sorted = rows * used_;
  CHECK(gathered_.reserve(sorted) && gated_.reserve(sorted) &&
        outputs_.reserve(static_cast<size_t>(sorted * hidden_stride_)));
  work_.share(rows, kRowWork * used_ * hidden_ / 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      for (int rank = 0; rank < used_; ++rank) gathered_.copy_row(input, row, choices(row)[rank].place);
    }
  });
}

void ExpertMixture::run_experts(const DecoderLayer& layer) {
  const auto busy = static_cast<int64_t>(busy_.size());
  const int64_t rows_each = std::max<int64_t>(1, first_.back() / std::max<int64_t>(1, busy));
  // An item is a panel of an expert; all experts have equally many.
  const auto share = [&](int64_t panels, int64_t depth, auto&& body) {
    work_.share(busy * panels, rows_each * depth * kPanelColumns, [&](int64_t begin, int64_t end, int) {
      for (int64_t item = begin; item < end; ++item) {
        const auto expert = static_cast<size_t>(busy_[static_cast<size_t>(item / panels)]);
        body(layer.experts[expert], item % panels, first_[expert], first_[expert + 1] - first_[expert]);
      }
    });
  };
  share(padded_to_panels(ffn_) / kPanelColumns, 2 * hidden_,
        [&](const FeedForwardWeights& block, int64_t panel, int64_t first, int64_t rows) {
          gate_panel(work_.kernels(), design_, block, panel, gathered_, first, rows, gated_);
        });
  share(hidden_stride_ / kPanelColumns, ffn_,
        [&](const FeedForwardWeights& block, int64_t panel, int64_t first, int64_t rows) {
          compute::MatmulJob job = panel_job(block.down, 0, panel, 1, gated_, first, rows);
          job.out = outputs_.data() + first * hidden_stride_ + panel * kPanelColumns;
          job.out_stride = hidden_stride_;
          work_.kernels().matmul(job);
        });
}

void ExpertMixture::sum_up(int64_t rows, float* out, int64_t stride) {
  work_.share(rows, int64_t{used_} * hidden_, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* sum = out + row * stride;
      std::fill_n(sum, hidden_, 0.0f);
      for (int rank = 0; rank < used_; ++rank) {
        const Choice& choice = choices(row)[rank];
        const float* output = outputs_.data() + choice.place * hidden_stride_;
        for (int64_t i = 0; i < hidden_; ++i) sum[i] += choice.weight * output[i];
      }
    }
  });
}

}  // namespace feilun::model
