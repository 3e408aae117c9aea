#include "gateway/reply_parts.h"

#include <algorithm>
#include <cmath>

#include "gateway/json_text.h"
#include "net/sse.h"

namespace feilun::gateway {
namespace json = boost::json;

std::string_view finish_reason_name(engine::FinishReason reason) {
  return reason == engine::FinishReason::kStop ? "stop" : "length";
}

json::object usage_json(const ledger::TokenUsage& usage) {
  return {{"prompt_tokens", usage.input()},
          {"completion_tokens", usage.total_output()},
          {"total_tokens", usage.input() + usage.total_output()},
          {"prompt_tokens_details", json::object{{"cached_tokens", usage.cache_read}}},
          {"completion_tokens_details", json::object{{"reasoning_tokens", usage.reasoning}}}};
}

json::object charge_json(const Ending& ending) {
  json::object out{{"charged", ending.charged.to_string()}, {"currency", ending.currency}};
  if (ending.spooled) out["charged"] = nullptr;
  if (ending.lapsed) out["stop_cause"] = "ledger";
  if (ending.outcome == ledger::Outcome::kBalance) out["stop_cause"] = "balance";
  return out;
}

std::string whole_reply(json::object head, json::array choices, const Ending& ending) {
  head["choices"] = std::move(choices);
  head["usage"] = usage_json(ending.usage);
  head["feilun"] = charge_json(ending);
  return json::serialize(head);
}

void append_chunk_event(std::string& out, std::string chunk, bool include_usage, const Ending* ending) {
  if (include_usage) chunk += ",\"usage\":null";
  if (ending != nullptr) chunk += ",\"feilun\":" + json::serialize(charge_json(*ending));
  net::append_sse_data(out, chunk + "}");
}

void append_usage_event(std::string& out, std::string_view prefix, const Ending& ending) {
  net::append_sse_data(
      out, fmt::format("{}],\"usage\":{},\"feilun\":{}}}", prefix, json::serialize(usage_json(ending.usage)),
                       json::serialize(charge_json(ending))));
}

double json_logprob(float logprob) {
  return std::isnan(logprob) ? -9999.0 : std::clamp<double>(logprob, -9999.0, 0.0);
}

std::string token_text(const Deployment& deployment, engine::TokenId id) {
  return valid_utf8(deployment.token_bytes(id));
}

}  // namespace feilun::gateway
