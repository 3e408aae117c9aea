#include "scheduler/step_cost.h"

#include <algorithm>

namespace feilun::scheduler {

StepWork StepWork::chunk(int64_t from, int64_t count, bool samples) {
  const auto tokens = static_cast<double>(count);
  return {.rows = tokens,
          .attention = tokens * static_cast<double>(from) + tokens * (tokens + 1) / 2,
          .sampled = samples ? 1.0 : 0.0};
}

StepWork StepWork::decode(int64_t length) {
  return {.rows = 1, .kv_read = static_cast<double>(length), .sampled = 1};
}

StepWork StepWork::guesses(int64_t count) {
  return {.rows = static_cast<double>(count), .sampled = static_cast<double>(count)};
}

StepWork& StepWork::operator+=(const StepWork& other) {
  rows += other.rows;
  attention += other.attention;
  kv_read += other.kv_read;
  sampled += other.sampled;
  return *this;
}

std::chrono::nanoseconds StepCost::predict(const StepWork& work) const {
  constexpr double kLongest = 1e17;  // three years: a sum of many still fits
  const double time = fixed + row * work.rows + row_beyond * std::max(0.0, work.rows - crossover) +
                      pair * work.attention + kv_token * work.kv_read + sample * work.sampled;
  return std::chrono::nanoseconds(static_cast<int64_t>(std::clamp(time, 0.0, kLongest)));
}

StepCost::Line StepCost::line_at(double rows) const {
  Line line{.fixed = fixed, .row = row, .pair = pair, .kv_token = kv_token, .sample = sample};
  if (rows > crossover) {
    line.fixed = std::max(0.0, fixed - row_beyond * crossover);
    line.row += row_beyond;
  }
  return line;
}

double StepCost::Line::of(const StepWork& work) const {
  return row * work.rows + pair * work.attention + kv_token * work.kv_read + sample * work.sampled;
}

}  // namespace feilun::scheduler
