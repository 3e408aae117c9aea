#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "gateway/generation_parameters.h"
#include "gateway/reply_shape.h"
#include "gateway/visit.h"

namespace feilun::gateway {

/// A request that is ready to be paid for and generated.
struct GenerationCall {
  Deployment* deployment = nullptr;
  MeteredRequest metered;
  std::unique_ptr<ReplyShape> shape;
  bool stream = false;
  bool include_usage = false;
};

/// How many tokens may be generated after a prompt: the wish, cut to the window. kContextLengthExceeded,
/// with both numbers, when the prompt leaves no room for one.
Result<TokenCount> output_room(TokenCount prompt_tokens, TokenCount context, std::optional<TokenCount> wish,
                               std::string_view param);

/// Reads and encodes a request: pure work, on any thread.
using Prepare = Result<GenerationCall> (*)(Visit&);

/// The call with all that does not come from its prompts.
GenerationCall begin_call(const Visit& visit, Deployment& deployment, const GenerationParameters& parameters);

/// What the reply to a request says about itself; its id is the request's, after `prefix` and a dash.
ReplyHead reply_head(std::string_view prefix, const Visit& visit, const Deployment& deployment,
                     const GenerationParameters& parameters, int top_logprobs);

/// An endpoint: prepares the call (elsewhere when the body is large, so that other connections need not
/// wait), generates, and answers, whole, as a stream or with an error. When it returns the money is settled.
boost::asio::awaitable<void> answer_prepared(Visit& visit, Prepare prepare);

}  // namespace feilun::gateway
