// The Idempotency-Key of requests that cost money. The ledger decides (ledger/idempotency.h): the hold claims
// the key. What is here looks before the work is done, records the reply on its way out, and keeps it.
//
//   nobody has the key, or who had it was not charged    the request runs
//   another body                                         422
//   who has it is running, here or elsewhere             409, worth a retry
//   who has it was charged, and its reply is kept        the reply, as it was
//   who has it was charged                               409 with its request's id, for ever
#include "gateway/idempotent_call.h"

#include <algorithm>

#include "base/log.h"
#include "gateway/error_reply.h"
#include "gateway/paid_call.h"
#include "gateway/running_claims.h"
#include "ledger/books.h"
#include "ledger/idempotency.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

using ledger::ClaimHolder;
using ledger::KeptReply;

constexpr std::string_view kHeader = "idempotency-key";
constexpr size_t kKeyBytesMax = 255;

Result<> check_key(std::string_view key) {
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (!key.empty() && key.size() <= kKeyBytesMax && std::ranges::all_of(key, visible)) return {};
  return std::unexpected(Error{ErrorCode::kInvalidArgument,
                               "an idempotency key has 1 to 255 visible ASCII characters",
                               std::string(kHeader)});
}

Error in_use() {
  return {ErrorCode::kConflict, "a request with this idempotency key is still in progress",
          std::string(kHeader), 1};
}

/// The way to a client that remembers what went by, and keeps a reply before its end is sent.
class RecordingExchange final : public net::Exchange {
 public:
  explicit RecordingExchange(Visit& visit)
      : inner_(visit.exchange),
        visit_{visit.services, *this, visit.request_id, visit.route, visit.arrived, visit.key, visit.claim} {}

  /// The same visit, whose replies are recorded.
  Visit& visit() { return visit_; }
  /// The stream is kept even when its client has left before the end: it may come again for it.
  asio::awaitable<void> finish() {
    if (events_ && visit_.whole) co_await keep();
  }

  const net::Request& request() const override { return inner_.request(); }
  asio::any_io_executor executor() override { return inner_.executor(); }
  asio::awaitable<bool> reply(net::Response response) override {
    if (response.status == 200) {
      body_ = response.body;
      co_await keep();
    }
    co_return co_await inner_.reply(std::move(response));
  }
  asio::awaitable<bool> begin_stream(int status, net::Headers headers) override {
    events_ = true;
    return inner_.begin_stream(status, std::move(headers));
  }
  asio::awaitable<bool> write(std::string bytes) override {
    if (body_.size() <= ledger::kReplyBytesMax) body_ += bytes;
    return inner_.write(std::move(bytes));
  }
  asio::awaitable<bool> end_stream() override {
    if (visit_.whole) co_await keep();
    co_return co_await inner_.end_stream();
  }
  void watch(std::function<void(net::Interruption)> on_interruption) override {
    inner_.watch(std::move(on_interruption));
  }

 private:
  asio::awaitable<void> keep() {
    ledger::Ledger& ledger = visit_.services.ledger;
    if (std::exchange(kept_, true) || ledger.spool().away) co_return;
    const KeptReply reply{.events = events_, .body = std::move(body_)};
    const auto kept = co_await run_on(visit_.services.ledger_work, [&] {
      return ledger.write<void>([&](ledger::Books& books) {
        return ledger::keep_reply(books.state(), visit_.key.id, visit_.claim->key, visit_.request_id, reply,
                                  visit_.services.clock.wall());
      });
    });
    if (!kept) spdlog::warn("{}: its reply is not kept: {}", visit_.request_id, kept.error().message);
  }

  net::Exchange& inner_;
  Visit visit_;
  std::string body_;
  bool events_ = false;
  bool kept_ = false;
};

asio::awaitable<void> answer_again(Visit& visit, const ClaimHolder& holder) {
  if (holder.body != visit.claim->body) {
    co_await visit.reply(reused_key_reply());
  } else if (holder.phase == ClaimHolder::Phase::kRunning) {
    co_await visit.reply_error(in_use());
  } else if (!holder.reply) {
    co_await visit.reply(used_key_reply(holder.request_id));
  } else {
    net::Response response;
    response.headers.add("content-type",
                         holder.reply->events ? "text/event-stream; charset=utf-8" : "application/json");
    response.headers.add("idempotent-replayed", "true");
    response.headers.add("feilun-request-id", holder.request_id);
    response.body = holder.reply->body;
    co_await visit.reply(std::move(response));
  }
}

/// Large bodies take a moment: not on a connection's thread.
Result<std::optional<ClaimHolder>> look_up(Visit& visit) {
  const net::Request& request = visit.request();
  visit.claim->body = ledger::blake2b_256(fmt::format("{}\n{}", request.path(), request.body));
  return visit.services.ledger.read<std::optional<ClaimHolder>>([&](ledger::State& state) {
    return ledger::find_claim(state, visit.key.id, visit.claim->key, visit.services.clock.wall());
  });
}

asio::awaitable<void> answer_claimed(Visit& visit, asio::awaitable<void> (*answer)(Visit&)) {
  const auto holder = co_await run_on(visit.services.ledger_work, [&] { return look_up(visit); });
  if (!holder) {
    co_await visit.reply_error(holder.error());
  } else if (*holder) {
    co_await answer_again(visit, **holder);
  } else {
    RecordingExchange recording(visit);
    co_await answer(recording.visit());
    co_await recording.finish();
  }
}

}  // namespace

asio::awaitable<void> answer_once(Visit& visit, asio::awaitable<void> (*answer)(Visit&)) {
  if (!visit.request().headers.contains(kHeader)) co_return co_await answer(visit);
  const std::string key(visit.request().headers.find(kHeader));
  if (const auto checked = check_key(key); !checked) {
    co_await visit.reply_error(checked.error());
    co_return;
  }
  visit.claim = ledger::Claim{.key = key};
  const RunningClaims::Running running = visit.services.running_claims.begin(visit.key.id + " " + key);
  if (running) {
    co_await answer_claimed(visit, answer);
  } else {
    co_await visit.reply_error(in_use());
  }
}

}  // namespace feilun::gateway
