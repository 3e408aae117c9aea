// POST /v1/embeddings: texts to vectors. All inputs of a request are one request to the ledger, and the reply
// is sent when the charge is durable.
#include "gateway/embedding_meter.h"
#include "gateway/embedding_reply.h"
#include "gateway/embedding_request.h"
#include "gateway/endpoints.h"
#include "gateway/paid_call.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

/// Replies of more numbers than this are written where they do not keep a connection's thread.
constexpr size_t kLightNumbers = 16 * 1024;

/// A request that is ready to be paid for and computed.
struct EmbeddingCall {
  engine::EmbeddingEngine* engine = nullptr;
  MeteredEmbedding metered;
  VectorFormat format;
};

Result<std::vector<engine::TokenId>> encode(const engine::EmbeddingEngine& engine, const TextOrTokens& input,
                                            const std::string& path) {
  std::vector<engine::TokenId> tokens;
  if (const auto* text = std::get_if<std::string>(&input)) {
    tokens = engine.encode(*text);
  } else {
    tokens = std::get<std::vector<engine::TokenId>>(input);
    TRY(check_tokens(tokens, engine.file().shape.vocabulary, path));
  }
  const auto error = [&](ErrorCode code, std::string message) {
    return std::unexpected(Error{code, std::move(message), path});
  };
  if (tokens.empty()) return error(ErrorCode::kInvalidArgument, fmt::format("'{}' has no tokens", path));
  if (static_cast<int64_t>(tokens.size()) > engine.context()) {
    return error(ErrorCode::kContextLengthExceeded,
                 fmt::format("'{}' has {} tokens, but this model's window holds {}", path,
                             counted(std::ssize(tokens), engine.context()), engine.context()));
  }
  return tokens;
}

Result<VectorFormat> format_of(const EmbeddingRequest& request, const engine::EmbeddingEngine& engine) {
  const int width = engine.width();
  const int dimensions = request.dimensions.value_or(width);
  if (dimensions <= width) return VectorFormat{width, dimensions, request.base64};
  return std::unexpected(Error{
      ErrorCode::kInvalidArgument,
      fmt::format("'dimensions' is {}, but this model's vectors have {}", dimensions, width), "dimensions"});
}

Result<EmbeddingCall> prepare(Visit& visit) {
  const EmbeddingRequest request = TRY(parse_embedding_request(visit.request().body));
  Deployment* deployment = TRY(ready_deployment(visit, request.model, Serves::kVectors));
  EmbeddingCall call{.engine = &deployment->embeddings()};
  call.format = TRY(format_of(request, *call.engine));
  call.metered = {.request_id = visit.request_id,
                  .key_id = visit.key.id,
                  .project_id = visit.key.project_id,
                  .offering = request.model,
                  .inputs = {}};
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const std::string path = request.inputs.size() == 1 ? "input" : fmt::format("input[{}]", i);
    call.metered.inputs.push_back(TRY(encode(*call.engine, request.inputs[i], path)));
  }
  return call;
}

asio::awaitable<void> answer(Visit& visit, EmbeddingCall call) {
  const auto room =
      visit.services.reply_room.take(embedding_reply_memory(call.metered.inputs.size(), call.format));
  if (!room) {
    co_await visit.reply_error(room.error());
    co_return;
  }
  const std::string offering = call.metered.offering;
  call.metered.claim = visit.claim;
  auto meter = std::make_shared<EmbeddingMeter>(std::move(call.metered), *call.engine, visit.services.ledger,
                                                visit.services.meter.machine);
  abandon_when_interrupted(visit, meter);
  const EmbeddingOutcome outcome = co_await meter->run();
  const Ending& ending = outcome.ending;
  visit.services.metrics.count_usage(offering, ending.usage, ending.charged, ending.currency, ending.outcome);
  if (ending.error) {
    co_await visit.reply_error(*ending.error, ending.may_be_charged());
    co_return;
  }
  const bool light = outcome.vectors.size() <= kLightNumbers;
  co_await visit.reply_json(co_await run_work(
      visit, light, [&] { return embedding_reply(offering, outcome.vectors, call.format, ending); }));
}

}  // namespace

asio::awaitable<void> embeddings(Visit& visit) {
  if (const auto means = co_await check_means(visit, Serves::kVectors); !means) {
    co_await visit.reply_error(means.error());
    co_return;
  }
  auto call = co_await run_work(visit, is_light(visit), [&] { return prepare(visit); });
  if (!call) {
    co_await visit.reply_error(call.error());
  } else {
    co_await answer(visit, *std::move(call));
  }
}

}  // namespace feilun::gateway
