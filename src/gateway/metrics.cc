#include "gateway/metrics.h"

#include <algorithm>

#include "gateway/service_tier.h"

namespace feilun::gateway {
namespace {

/// A label value with the three characters escaped that Prometheus wants escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

void write_queues(std::string& out, const Deployments& deployments) {
  head(out, "feilun_engine_queue", "gauge", "Sequences in the queue, preempted ones among them, by tier.");
  for (const auto& [name, deployment] : deployments.all()) {
    if (!deployment->ready()) continue;
    const engine::EngineStats stats = deployment->stats();
    for (const pricing::ServiceTier tier : kServiceTiers) {
      out += fmt::format("feilun_engine_queue{{model=\"{}\",tier=\"{}\"}} {}\n", escaped(name),
                         tier_name(tier), stats.waiting_by_tier[static_cast<size_t>(engine_tier(tier))]);
    }
  }
}

void write_engines(std::string& out, const Deployments& deployments) {
  struct Row {
    const char* name;
    const char* type;
    const char* help;
    double (*value)(const engine::EngineStats&);
  };
  using engine::EngineStats;
  static constexpr Row kRows[] = {
      {"feilun_engine_steps_total", "counter", "Forward passes.",
       [](const EngineStats& s) { return double(s.steps); }},
      {"feilun_engine_prompt_tokens_total", "counter", "Prompt tokens computed.",
       [](const EngineStats& s) { return double(s.prompt_tokens); }},
      {"feilun_engine_output_tokens_total", "counter", "Output tokens reported to requests.",
       [](const EngineStats& s) { return double(s.output_tokens); }},
      {"feilun_engine_sampled_tokens_total", "counter", "Tokens as the sampler counts them.",
       [](const EngineStats& s) { return double(s.sampled_tokens); }},
      {"feilun_engine_running", "gauge", "Sequences in the batch.",
       [](const EngineStats& s) { return double(s.running); }},
      {"feilun_engine_waiting", "gauge", "Sequences in the queue.",
       [](const EngineStats& s) { return double(s.waiting); }},
      {"feilun_engine_kv_blocks", "gauge", "KV blocks there are.",
       [](const EngineStats& s) { return double(s.kv_blocks_total); }},
      {"feilun_engine_kv_blocks_used", "gauge", "KV blocks in use.",
       [](const EngineStats& s) { return double(s.kv_blocks_used); }},
      {"feilun_engine_kv_blocks_cached", "gauge", "KV blocks that only the prefix cache holds.",
       [](const EngineStats& s) { return double(s.kv_blocks_cached); }},
      {"feilun_engine_kv_evictions_total", "counter", "Cached KV blocks that had to give room.",
       [](const EngineStats& s) { return double(s.evictions); }},
      {"feilun_engine_kv_byte_seconds_total", "counter", "KV memory held by requests, times how long.",
       [](const EngineStats& s) { return s.kv_byte_seconds; }},
      {"feilun_engine_cached_tokens_total", "counter", "Prompt tokens found in the prefix cache.",
       [](const EngineStats& s) { return double(s.cached_tokens); }},
      {"feilun_engine_guessed_tokens_total", "counter", "Tokens guessed and checked beside others.",
       [](const EngineStats& s) { return double(s.guessed_tokens); }},
      {"feilun_engine_guessed_right_tokens_total", "counter", "Of these, those that were sampled.",
       [](const EngineStats& s) { return double(s.guessed_right_tokens); }},
      {"feilun_engine_recomputed_tokens_total", "counter", "Tokens computed again after a preemption.",
       [](const EngineStats& s) { return double(s.recomputed_tokens); }},
      {"feilun_engine_preemptions_total", "counter", "Sequences that lost their blocks.",
       [](const EngineStats& s) { return double(s.preemptions); }},
      {"feilun_engine_busy_seconds_total", "counter", "Time spent in forward passes.",
       [](const EngineStats& s) { return seconds(s.busy); }},
      {"feilun_engine_attributed_seconds_total", "counter", "Of the busy time, what requests bear.",
       [](const EngineStats& s) { return seconds(s.busy - s.wasted); }},
      {"feilun_engine_wasted_seconds_total", "counter",
       "Of the busy time, what nobody bears: redone, failed.",
       [](const EngineStats& s) { return seconds(s.wasted); }},
      {"feilun_engine_idle_seconds_total", "counter", "Time without work; with the busy time, all time.",
       [](const EngineStats& s) { return seconds(s.idle); }},
      {"feilun_engine_saved_seconds_total", "counter", "What cached tokens would have taken, as predicted.",
       [](const EngineStats& s) { return seconds(s.saved); }},
      {"feilun_engine_step_model_r2", "gauge", "Share of the variance of step times that was predicted.",
       [](const EngineStats& s) { return s.step_model.r_squared; }},
      {"feilun_engine_step_model_residual", "gauge", "Mean error of predicted step times over their mean.",
       [](const EngineStats& s) { return s.step_model.residual; }},
      {"feilun_engine_step_model_crossover_rows", "gauge", "Tokens a step from which arithmetic bounds it.",
       [](const EngineStats& s) { return double(s.step_model.crossover_rows); }},
      {"feilun_engine_step_model_version", "counter", "Fits of the model of step times.",
       [](const EngineStats& s) { return double(s.step_model.version); }},
  };
  for (const Row& row : kRows) {
    head(out, row.name, row.type, row.help);
    for (const auto& [name, deployment] : deployments.all()) {
      if (!deployment->ready()) continue;
      out += fmt::format("{}{{model=\"{}\"}} {}\n", row.name, escaped(name), row.value(deployment->stats()));
    }
  }
  write_queues(out, deployments);
}

}  // namespace

void SecondsHistogram::observe(std::chrono::nanoseconds value) {
  const double seconds = static_cast<double>(value.count()) / 1e9;
  const auto bucket = std::ranges::lower_bound(kBounds, seconds) - kBounds.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(value.count(), std::memory_order_relaxed);
}

void SecondsHistogram::write(std::string& out, std::string_view name, std::string_view help) const {
  head(out, name, "histogram", help);
  uint64_t running = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    running += counts_[i].load(std::memory_order_relaxed);
    out += i < kBounds.size() ? fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], running)
                              : fmt::format("{}_bucket{{le=\"+Inf\"}} {}\n", name, running);
  }
  const double sum = static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9;
  out += fmt::format("{}_sum {}\n{}_count {}\n", name, sum, name, running);
}

void Metrics::count_request(std::string_view route, int status) {
  std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
}

void Metrics::count_usage(std::string_view model, const ledger::TokenUsage& usage, Money charged,
                          std::string_view currency, ledger::Outcome outcome) {
  std::lock_guard lock(mutex_);
  ModelCounts& counts = models_[std::string(model)];
  counts.usage += usage;
  if (!currency.empty()) counts.charged[std::string(currency)] += charged;
  ++counts.outcomes.at(static_cast<size_t>(outcome));
}

void Metrics::count_delivery(std::string_view outcome) {
  std::lock_guard lock(mutex_);
  const auto place = deliveries_.find(outcome);
  if (place != deliveries_.end()) ++place->second;
}

void Metrics::write_deliveries(std::string& out) const {
  head(out, "feilun_webhook_deliveries_total", "counter", "Calls of webhooks, by what became of them.");
  std::lock_guard lock(mutex_);
  for (const auto& [outcome, count] : deliveries_) {
    out += fmt::format("feilun_webhook_deliveries_total{{outcome=\"{}\"}} {}\n", outcome, count);
  }
  head(out, "feilun_webhook_deliveries_waiting", "gauge", "Notifications in the ledger's outbox.");
  out += fmt::format("feilun_webhook_deliveries_waiting {}\n", deliveries_waiting_.load());
}

/// With the mutex held.
void Metrics::write_charged(std::string& out, const ledger::SpoolStats& spool) const {
  auto charged = spool.charged_late;
  for (const auto& [model, counts] : models_) {
    for (const auto& [currency, money] : counts.charged) charged[{model, currency}] += money;
  }
  head(out, "feilun_charged_total", "counter", "Money charged, in units of the currency.");
  for (const auto& [of, money] : charged) {
    out += fmt::format("feilun_charged_total{{model=\"{}\",currency=\"{}\"}} {}\n", escaped(of.first),
                       of.second, money.to_string());
  }
}

std::string Metrics::text(const Deployments& deployments, int connections,
                          const ledger::SpoolStats& spool) const {
  static constexpr const char* kOutcomes[] = {"completed", "cancelled", "balance", "failed", "recovered"};
  std::string out;
  {
    std::lock_guard lock(mutex_);
    head(out, "feilun_http_requests_total", "counter", "Requests answered.");
    for (const auto& [key, count] : requests_) {
      out += fmt::format("feilun_http_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", escaped(key.first),
                         key.second, count);
    }
    head(out, "feilun_tokens_total", "counter", "Tokens charged, by class.");
    for (const auto& [model, counts] : models_) {
      const std::pair<const char*, TokenCount> classes[] = {{"input_fresh", counts.usage.input_fresh},
                                                            {"cache_read", counts.usage.cache_read},
                                                            {"cache_write", counts.usage.cache_write},
                                                            {"output", counts.usage.output},
                                                            {"reasoning", counts.usage.reasoning}};
      for (const auto& [name, count] : classes) {
        out +=
            fmt::format("feilun_tokens_total{{model=\"{}\",class=\"{}\"}} {}\n", escaped(model), name, count);
      }
    }
    write_charged(out, spool);
    head(out, "feilun_generations_total", "counter", "Metered requests ended, by outcome.");
    for (const auto& [model, counts] : models_) {
      for (size_t i = 0; i < counts.outcomes.size(); ++i) {
        out += fmt::format("feilun_generations_total{{model=\"{}\",outcome=\"{}\"}} {}\n", escaped(model),
                           kOutcomes[i], counts.outcomes[i]);
      }
    }
  }
  head(out, "feilun_http_connections", "gauge", "Open connections.");
  out += fmt::format("feilun_http_connections {}\n", connections);
  time_to_first_token_.write(out, "feilun_time_to_first_token_seconds",
                             "From the request's arrival to the first token.");
  time_per_output_token_.write(out, "feilun_time_per_output_token_seconds",
                               "Mean time between tokens of a request.");
  write_deliveries(out);
  write_engines(out, deployments);
  return out;
}

}  // namespace feilun::gateway
