#pragma once

#include <boost/json.hpp>

#include "gateway/reply_shape.h"

namespace feilun::gateway {

/// "stop" or "length", as OpenAI names them.
std::string_view finish_reason_name(engine::FinishReason reason);
boost::json::object usage_json(const ledger::TokenUsage& usage);
/// The `feilun` object: what was charged, and why the text ends where the model did not want it to.
boost::json::object charge_json(const Ending& ending);
/// A whole reply: what its head says, its choices, and what they cost.
std::string whole_reply(boost::json::object head, boost::json::array choices, const Ending& ending);
/// An event of a stream: a `chunk` that ends behind its choices; with the charge where there is an `ending`.
void append_chunk_event(std::string& out, std::string chunk, bool include_usage, const Ending* ending);
/// The event with the usage, without choices; `prefix` is a chunk up to them.
void append_usage_event(std::string& out, std::string_view prefix, const Ending& ending);
/// JSON has no infinity: what is less likely than e^-9999 reads so.
double json_logprob(float logprob);
/// The token's bytes, invalid UTF-8 replaced.
std::string token_text(const Deployment& deployment, engine::TokenId id);

}  // namespace feilun::gateway
