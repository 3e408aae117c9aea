// POST /v1/chat/completions
#include "gateway/chat_request.h"
#include "gateway/endpoints.h"
#include "gateway/generation_call.h"
#include "gateway/paid_call.h"

namespace feilun::gateway {
namespace {

Result<GenerationCall> prepare(Visit& visit) {
  ChatRequest request = TRY(parse_chat_request(visit.request().body));
  const GenerationParameters& parameters = request.parameters;
  Deployment* deployment = TRY(ready_deployment(visit, parameters.model, Serves::kText));
  if (!deployment->has_chat_template()) {
    return std::unexpected(
        Error{ErrorCode::kUnsupported,
              fmt::format("'{}' has no chat template: use /v1/completions", parameters.model), "model"});
  }
  const engine::Sampling sampling = TRY(sampling_for(parameters, deployment->sampling_defaults(),
                                                     deployment->vocabulary(), request.top_logprobs));
  const engine::ChatInput input{.messages_json = request.messages_json,
                                .variables_json = request.template_variables_json,
                                .now = visit.services.clock.wall()};
  engine::Generation generation;
  generation.prompt = TRY(deployment->encode_chat(input));
  generation.max_tokens = TRY(output_room(static_cast<TokenCount>(generation.prompt.size()),
                                          deployment->context(), request.max_tokens, "messages"));
  generation.sampling = sampling;
  generation.stop = parameters.stop;

  GenerationCall call = begin_call(visit, *deployment, parameters);
  for (int choice = 0; choice < parameters.n; ++choice) {
    generation.choice = choice;
    call.metered.generations.push_back(generation);
    call.metered.prompt_of.push_back(0);
  }
  call.shape = make_chat_shape(reply_head("chatcmpl", visit, *deployment, parameters, request.top_logprobs),
                               *deployment);
  return call;
}

}  // namespace

boost::asio::awaitable<void> chat_completions(Visit& visit) {
  return answer_prepared(visit, prepare);
}

}  // namespace feilun::gateway
