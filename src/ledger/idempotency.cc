#include "ledger/idempotency.h"

#include <zstd.h>

#include "base/check.h"
#include "ledger/checked_text.h"
#include "ledger/fields.h"
#include "ledger/journal.h"
#include "ledger/rows.h"

namespace feilun::ledger {
namespace {

constexpr char kReplies = 'Y';
constexpr int64_t kForgottenAtOnce = 8;
constexpr int kLevel = 1;  // server-sent events shrink to a tenth already

struct ClaimRow {
  std::string request_id;
  std::string body;  ///< its hash in hexadecimal
  WallTime time;
};

std::string claim_key(std::string_view key_id, std::string_view idempotency_key) {
  return KeyWriter('I').text(key_id).text(idempotency_key).take();
}

std::string time_bytes(WallTime time) {
  return FieldWriter().time(time).take();
}

/// The oldest first.
std::string reply_key(const ClaimRow& claim) {
  return KeyWriter(kReplies).raw(time_bytes(claim.time)).text(claim.request_id).take();
}

Result<std::optional<ClaimRow>> claim_row(State& state, std::string_view key_id,
                                          std::string_view idempotency_key) {
  const std::string* value = TRY(state.get(claim_key(key_id, idempotency_key)));
  if (value == nullptr) return std::nullopt;
  FieldReader fields(*value);
  ClaimRow row{.request_id = fields.text()};
  row.body = fields.text();
  row.time = fields.time();
  if (!fields.ok() || !fields.at_end()) {
    return fail(ErrorCode::kCorrupt, "the row of the idempotency key {} cannot be read", idempotency_key);
  }
  return row;
}

enum class Phase : uint8_t { kRunning, kCharged, kFree };

Result<Phase> phase_of(State& state, std::string_view request_id) {
  const auto end = TRY(ended_by(state, request_id));
  if (!end) return Phase::kRunning;
  const auto entry = state.entry(*end);
  // What lies in an archive is old: whether it was charged is not worth a guess that could charge it again.
  if (!entry && entry.error().code == ErrorCode::kNotFound) return Phase::kCharged;
  if (!entry) return std::unexpected(entry.error());
  return FieldReader(entry->payload).byte() == static_cast<uint8_t>(EntryKind::kRelease) ? Phase::kFree
                                                                                         : Phase::kCharged;
}

std::string packed(const KeptReply& reply) {
  std::string bytes(ZSTD_compressBound(reply.body.size()), '\0');
  const size_t size = ZSTD_compress(bytes.data(), bytes.size(), reply.body.data(), reply.body.size(), kLevel);
  CHECK(ZSTD_isError(size) == 0);
  bytes.resize(size);
  return FieldWriter()
      .byte(reply.events ? 1 : 0)
      .number(static_cast<int64_t>(reply.body.size()))
      .raw(bytes)
      .take();
}

Result<KeptReply> unpacked(std::string_view value) {
  FieldReader fields(value);
  KeptReply reply{.events = fields.byte() == 1};
  const auto size = static_cast<size_t>(fields.number());
  const std::string_view bytes = fields.rest();
  const auto damaged = [] { return fail(ErrorCode::kCorrupt, "a kept reply cannot be read"); };
  if (!fields.ok() || size > kReplyBytesMax) return damaged();
  if (ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != size) return damaged();
  reply.body.resize(size);
  if (ZSTD_decompress(reply.body.data(), size, bytes.data(), bytes.size()) != size) return damaged();
  return reply;
}

}  // namespace

Result<std::optional<ClaimHolder>> find_claim(State& state, std::string_view key_id,
                                              std::string_view idempotency_key, WallTime now) {
  TRY(check_text("idempotency key", idempotency_key, false));
  const auto row = TRY(claim_row(state, key_id, idempotency_key));
  if (!row) return std::nullopt;
  const Phase phase = TRY(phase_of(state, row->request_id));
  if (phase == Phase::kFree) return std::nullopt;
  ClaimHolder holder{.request_id = row->request_id, .time = row->time};
  if (!unhex(row->body, holder.body)) {
    return fail(ErrorCode::kCorrupt, "the row of the idempotency key {} cannot be read", idempotency_key);
  }
  holder.phase = phase == Phase::kCharged ? ClaimHolder::Phase::kCharged : ClaimHolder::Phase::kRunning;
  if (holder.phase == ClaimHolder::Phase::kRunning || now >= row->time + kReplyKeptFor) return holder;
  // Asked of the store itself: replies come without an entry, so what the state remembers may be older.
  const auto kept = TRY(state.store().get(reply_key(*row)));
  if (kept) holder.reply = TRY(unpacked(*kept));
  return holder;
}

Result<> check_claim(State& state, const HoldRequest& request) {
  if (!request.claim) return {};
  TRY(check_text("idempotency key", request.claim->key, false));
  const auto row = TRY(claim_row(state, request.key_id, request.claim->key));
  if (!row || TRY(phase_of(state, row->request_id)) == Phase::kFree) return {};
  return std::unexpected(Error{
      ErrorCode::kConflict, fmt::format("the idempotency key was used for the request {}", row->request_id),
      "idempotency-key"});
}

void put_claim(State& state, const HoldRequest& request, WallTime now) {
  const std::string body = hex(view(request.claim->body));
  Payload payload(EntryKind::kClaim);
  payload.text(request.request_id).text(request.key_id).text(request.claim->key).text(body);
  payload.postings({});
  state.append(now, payload.take());
  FieldWriter value;
  value.text(request.request_id).text(body).time(now);
  state.put_away(claim_key(request.key_id, request.claim->key), value.take());
}

Result<> keep_reply(State& state, std::string_view key_id, std::string_view idempotency_key,
                    std::string_view request_id, const KeptReply& reply, WallTime now) {
  TRY(forget_old_replies(state, now, kForgottenAtOnce));
  if (reply.body.size() > kReplyBytesMax) return {};
  const auto row = TRY(claim_row(state, key_id, idempotency_key));
  if (!row || row->request_id != request_id || now >= row->time + kReplyKeptFor) return {};
  state.put_away(reply_key(*row), packed(reply));
  return {};
}

Result<int64_t> forget_old_replies(State& state, WallTime now, int64_t limit) {
  const std::string until = KeyWriter(kReplies).raw(time_bytes(now - kReplyKeptFor)).take();
  int64_t forgotten = 0;
  for (const StateRow& row : TRY(state.store().scan(std::string(1, kReplies), until, limit))) {
    state.erase(row.key);
    ++forgotten;
  }
  return forgotten;
}

}  // namespace feilun::ledger
