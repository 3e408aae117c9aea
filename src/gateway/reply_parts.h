#pragma once

#include <boost/json.hpp>

#include "gateway/reply_shape.h"

namespace feilun::gateway {

/// "stop" or "length", as OpenAI names them.
std::string_view finish_reason_name(engine::FinishReason reason);
boost::json::object usage_json(const ledger::TokenUsage& usage);
/// The `feilun` object: what was charged, and why the text ends where the model did not want it to.
boost::json::object charge_json(const Ending& ending);
/// JSON has no infinity: what is less likely than e^-9999 reads so.
double json_logprob(float logprob);
/// The token's bytes, invalid UTF-8 replaced.
std::string token_text(const Deployment& deployment, engine::TokenId id);

}  // namespace feilun::gateway
