// POST /v1/completions: the older endpoint, which continues a text. Several prompts in one request are one
// request to the ledger, each prompt billed once.
#include "gateway/completion_request.h"
#include "gateway/endpoints.h"
#include "gateway/generation_call.h"
#include "gateway/paid_call.h"

namespace feilun::gateway {
namespace {

Result<std::vector<engine::TokenId>> encode(const Deployment& deployment, const TextOrTokens& prompt,
                                            std::string path) {
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    auto tokens = deployment.encode_text(*text);
    if (tokens.empty()) {
      return std::unexpected(Error{ErrorCode::kInvalidArgument,
                                   "the prompt is empty, and this model needs at least one token", path});
    }
    return tokens;
  }
  const auto& tokens = std::get<std::vector<engine::TokenId>>(prompt);
  TRY(check_tokens(tokens, deployment.vocabulary(), path));
  return tokens;
}

Result<GenerationCall> prepare(Visit& visit) {
  const CompletionRequest request = TRY(parse_completion_request(visit.request().body));
  const GenerationParameters& parameters = request.parameters;
  Deployment* deployment = TRY(ready_deployment(visit, parameters.model, Serves::kText));
  const engine::Sampling sampling = TRY(sampling_for(parameters, deployment->sampling_defaults(),
                                                     deployment->vocabulary(), request.top_logprobs));
  GenerationCall call = begin_call(visit, *deployment, parameters);
  for (size_t i = 0; i < request.prompts.size(); ++i) {
    const std::string path = request.prompts.size() == 1 ? "prompt" : fmt::format("prompt[{}]", i);
    engine::Generation generation;
    generation.prompt = TRY(encode(*deployment, request.prompts[i], path));
    generation.max_tokens = TRY(output_room(static_cast<TokenCount>(generation.prompt.size()),
                                            deployment->context(), request.max_tokens, path));
    generation.sampling = sampling;
    generation.sampling.seed = seed_of_prompt(sampling.seed, i);
    generation.stop = parameters.stop;
    for (int choice = 0; choice < parameters.n; ++choice) {
      generation.choice = choice;
      call.metered.generations.push_back(generation);
      call.metered.prompt_of.push_back(static_cast<int>(i));
    }
  }
  call.shape = make_completion_shape(reply_head("cmpl", visit, *deployment, parameters, request.top_logprobs),
                                     *deployment);
  return call;
}

}  // namespace

boost::asio::awaitable<void> completions(Visit& visit) {
  return answer_prepared(visit, prepare);
}

}  // namespace feilun::gateway
