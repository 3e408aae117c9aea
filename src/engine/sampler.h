#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "compute/number_blocks.h"
#include "engine/engine.h"

namespace feilun::engine {

/// How often each token occurred, for the penalties. Empty and free of charge where no penalty is asked for.
class TokenHistory {
 public:
  struct Count {
    int prompt = 0;
    int output = 0;
  };
  explicit TokenHistory(const Generation& generation);
  void add_output(TokenId id);
  const std::unordered_map<TokenId, Count>& counts() const { return counts_; }

 private:
  bool wanted_ = false;
  std::unordered_map<TokenId, Count> counts_;
};

/// Where the token to choose stands: the random number's coordinates beside the seed.
struct SamplePoint {
  int choice = 0;
  int64_t position = 0;  ///< in the sequence, prompt included
};

/// Chooses tokens from logits. In this order: logit bias, penalties (repetition, then frequency and
/// presence), temperature, top-k, top-p, min-p, draw. Each filter renormalises what the one before left.
///
/// The vocabulary is never sorted, and mostly not even listed: it is seen as blocks with their maxima
/// (compute/number_blocks.h), where top-k, top-p and min-p look only for what is large, top-p then by a
/// selection by weight. The draw walks what is kept in the order of ids. Of equal logits the lower id counts
/// as the better.
///
/// One thread at a time; scratch memory is kept between calls, results never depend on it.
class Sampler {
 public:
  explicit Sampler(int vocabulary_size);

  /// `logits`: vocabulary_size raw logits. NaN counts as −∞, +∞ as the largest float. kInternal when no
  /// token is possible.
  Result<GeneratedToken> sample(std::span<const float> logits, const Sampling& sampling,
                                const TokenHistory& history, SamplePoint point);
  int vocabulary_size() const { return vocabulary_size_; }
  /// Tokens chosen since the start.
  TokenCount sampled() const { return sampled_; }

 private:
  struct Candidate {
    float logit = 0;
    TokenId id = 0;
    double weight = 0;  ///< e^((logit − best) / temperature): the best has 1
  };
  /// A better candidate comes first.
  static bool better(const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  }

  void look_at(std::span<const float> logits, const Sampling& sampling, const TokenHistory& history);
  TokenId draw(const Sampling& sampling, double uniform);
  void keep_top_k(const Sampling& sampling);
  double keep_from(double least_weight, double temperature);
  void keep_top_p(double wanted);
  void keep_heaviest(const Sampling& sampling);
  TokenId draw_kept(double uniform) const;
  double weight_of(float logit, double temperature) const;

  compute::NumberBlocks blocks_;
  int vocabulary_size_;
  std::vector<float> adjusted_;    ///< the logits, where something changes them
  std::vector<Candidate> kept_;    ///< in the order of ids
  std::vector<Candidate> ranked_;  ///< a copy for selections
  TokenCount sampled_ = 0;
};

/// Checks what a client may ask for. kInvalidArgument names the field.
Result<> check_sampling(const Sampling& sampling, int vocabulary_size);

}  // namespace feilun::engine
