#include "gateway/paid_call.h"

#include "gateway/generation_parameters.h"
#include "gateway/service_tier.h"
#include "ledger/books.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

constexpr size_t kLightBodyBytes = 32 * 1024;

/// The smallest request to the model that the body names.
Result<ledger::HoldRequest> least_request(const Visit& visit, Serves wanted) {
  const JsonDocument document = TRY(JsonDocument::parse(visit.request().body));
  const RequestFields fields = TRY(RequestFields::of(document.root(), {}, "the request"));
  const auto model = TRY(fields.string("model"));
  TRY(ready_deployment(visit, model.value_or(""), wanted));
  ledger::HoldRequest least{.key_id = visit.key.id, .project_id = visit.key.project_id};
  least.offering = *model;
  least.input_tokens = 1;
  least.output_slice = wanted == Serves::kText ? 1 : 0;
  if (wanted == Serves::kText) {
    least.tier = served_tier(TRY(read_tier(fields)), visit.services.meter.priority_tier);
  }
  return least;
}

}  // namespace

Result<Deployment*> ready_deployment(const Visit& visit, std::string_view model, Serves wanted) {
  if (visit.key.scope) TRY(visit.key.scope->check_model(model));
  Deployment* deployment = visit.services.deployments.find(model);
  if (deployment == nullptr) {
    return std::unexpected(
        Error{ErrorCode::kNotFound, fmt::format("there is no model named '{}' here", model), "model"});
  }
  if (deployment->embeds() != (wanted == Serves::kVectors)) {
    return std::unexpected(
        Error{ErrorCode::kUnsupported,
              deployment->embeds()
                  ? fmt::format("'{}' gives vectors and no text: ask /v1/embeddings", model)
                  : fmt::format("'{}' gives text and no vectors; /v1/models tells which do", model),
              "model"});
  }
  if (!deployment->ready()) {
    return std::unexpected(
        Error{ErrorCode::kUnavailable, fmt::format("'{}' is still being loaded", model), "model"});
  }
  return deployment;
}

bool is_light(const Visit& visit) {
  return visit.request().body.size() < kLightBodyBytes;
}

asio::awaitable<Result<>> check_means(Visit& visit, Serves wanted) {
  if (is_light(visit)) co_return Result<>();
  const auto least = co_await run_on(visit.services.heavy_work, [&] { return least_request(visit, wanted); });
  if (!least) co_return Result<>();
  // Where a hold would be asked for, too: the writer knows the payer already.
  const Result<> checked = co_await run_on(visit.services.ledger_work, [&] {
    return visit.services.ledger.write<void>([&](ledger::Books& books) { return books.check_means(*least); });
  });
  const bool known = !checked && (checked.error().code == ErrorCode::kInsufficientQuota ||
                                  checked.error().code == ErrorCode::kRateLimited);
  co_return known ? checked : Result<>();
}

std::string counted(TokenCount tokens, TokenCount context) {
  const TokenCount most = engine::counted_at_most(context);
  return tokens > most ? fmt::format("more than {}", most) : std::to_string(tokens);
}

Error cut_short() {
  return {ErrorCode::kCancelled, "the client closed its side before the answer was whole"};
}

}  // namespace feilun::gateway
