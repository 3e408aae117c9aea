#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/embedding_engine.h"
#include "gateway/meter.h"
#include "ledger/ledger.h"

namespace feilun::gateway {

/// What is to be turned into vectors and who pays.
struct MeteredEmbedding {
  std::string request_id;
  std::string key_id;
  std::string project_id;
  std::string offering;
  std::vector<std::vector<engine::TokenId>> inputs;
  std::optional<ledger::Claim> claim = {};
};

struct EmbeddingOutcome {
  Ending ending;
  std::vector<float> vectors;  ///< [inputs][width], unless `ending.error` is set
};

/// The money road of one request, straight, as the client gets nothing before its end: hold the whole input
/// at its worst price → compute → settle what the engine counted, or release when that is nothing or the
/// engine failed. No marks on the way: a crash costs the client nothing, as nothing has reached it.
///
/// Threads: run() and abandon() on the thread that run() is awaited on. `engine` and `ledger` outlive run().
class EmbeddingMeter {
 public:
  /// `machine` journals what the request cost; may be null.
  EmbeddingMeter(MeteredEmbedding request, engine::EmbeddingEngine& engine, ledger::Ledger& ledger,
                 std::shared_ptr<pricing::MachineCost> machine = nullptr)
      : request_(std::move(request)), engine_(engine), ledger_(ledger), machine_(std::move(machine)) {}

  /// When it returns, the money is settled or released, durably, unless the ending says otherwise.
  boost::asio::awaitable<EmbeddingOutcome> run();
  /// Nobody wants the rest: stops as soon as the engine can and charges what was computed.
  void abandon(Meter::Abandon why);

 private:
  boost::asio::awaitable<engine::EmbeddingResult> compute();
  Result<> submit(engine::EmbeddingSink sink);
  boost::asio::awaitable<void> close(Ending& ending, const engine::EngineUsage& taken);

  MeteredEmbedding request_;
  engine::EmbeddingEngine& engine_;
  ledger::Ledger& ledger_;
  std::shared_ptr<pricing::MachineCost> machine_;
  std::optional<Meter::Abandon> abandoned_;
};

}  // namespace feilun::gateway
