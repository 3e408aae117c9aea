#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/deployment.h"
#include "ledger/ledger.h"

namespace feilun::gateway {

/// A Prometheus histogram of seconds. Threads: any.
class SecondsHistogram {
 public:
  void observe(std::chrono::nanoseconds value);
  void write(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  static constexpr std::array kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,  0.5,    1.0,   2.5,  5.0,   10.0, 30.0};
  std::array<std::atomic<uint64_t>, kBounds.size() + 1> counts_{};
  std::atomic<int64_t> sum_ns_{0};
};

/// What the gateway counts, kept out of its logic. Threads: any.
class Metrics {
 public:
  void count_request(std::string_view route, int status);
  /// A metered request ended: its tokens by class and its charge, as the ledger has them.
  void count_usage(std::string_view model, const ledger::TokenUsage& usage, Money charged,
                   std::string_view currency, ledger::Outcome outcome);
  /// A webhook was called; `outcome`: "delivered", "failed" (it is tried again) or "given_up".
  void count_delivery(std::string_view outcome);
  void set_deliveries_waiting(int64_t count) { deliveries_waiting_ = count; }
  SecondsHistogram& time_to_first_token() { return time_to_first_token_; }
  SecondsHistogram& time_per_output_token() { return time_per_output_token_; }

  /// Prometheus text: the counts above, each ready engine's own, and open connections. `spool`: what was
  /// charged after its request had been counted.
  std::string text(const Deployments& deployments, int connections, const ledger::SpoolStats& spool) const;

 private:
  struct ModelCounts {
    ledger::TokenUsage usage;
    std::map<std::string, Money> charged;
    std::array<int64_t, 5> outcomes{};
  };
  void write_deliveries(std::string& out) const;
  void write_charged(std::string& out, const ledger::SpoolStats& spool) const;

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;
  std::map<std::string, ModelCounts> models_;
  std::map<std::string, int64_t, std::less<>> deliveries_ = {
      {"delivered", 0}, {"failed", 0}, {"given_up", 0}};
  std::atomic<int64_t> deliveries_waiting_{0};
  SecondsHistogram time_to_first_token_;
  SecondsHistogram time_per_output_token_;
};

}  // namespace feilun::gateway
