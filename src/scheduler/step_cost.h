#pragma once

#include <chrono>
#include <cstdint>

namespace feilun::scheduler {

/// What a slice, or a whole forward pass, asks of the machine. Works add up.
struct StepWork {
  double rows = 0;       ///< tokens that pass through the weights
  double attention = 0;  ///< of chunks: pairs of a token and one it attends to, itself included
  double kv_read = 0;    ///< of decodes: tokens whose K/V are read
  double sampled = 0;    ///< slices whose logits are computed and sampled from

  /// `count` tokens of a prompt from position `from` on.
  static StepWork chunk(int64_t from, int64_t count, bool samples);
  /// The next token of a sequence that has `length` tokens with it.
  static StepWork decode(int64_t length);
  /// Tokens that are checked behind it: they share the loads of its keys and values.
  static StepWork guesses(int64_t count);

  StepWork& operator+=(const StepWork& other);
  friend StepWork operator+(StepWork a, const StepWork& b) { return a += b; }
};

/// How long a forward pass takes, in nanoseconds: numbers alone, so that a scheduler under test and the price
/// lab can be given any machine.
///
///     t = fixed + row · rows + row_beyond · max(0, rows − crossover)
///               + pair · attention + kv_token · kv_read + sample · sampled
///
/// The hinge is the larger of two straight lines: with few rows a pass waits for memory to bring the weights,
/// which takes the same for each number of rows; from `crossover` rows on it waits for arithmetic, which does
/// not. All numbers are ≥ 0, so the time is convex and never falls with more work.
struct StepCost {
  double fixed = 1e6;
  double row = 15e3;
  double row_beyond = 60e3;
  double crossover = 16;
  double pair = 25;
  double kv_token = 25;
  double sample = 15e3;
  uint64_t version = 0;  ///< which fit these numbers are of; 0: nothing was measured, only proportions count

  std::chrono::nanoseconds predict(const StepWork& work) const;

  /// The straight line that holds around a pass of `rows` rows.
  struct Line {
    double fixed = 0;
    double row = 0;
    double pair = 0;
    double kv_token = 0;
    double sample = 0;
    /// Without the fixed part.
    double of(const StepWork& work) const;
  };
  Line line_at(double rows) const;
};

}  // namespace feilun::scheduler
