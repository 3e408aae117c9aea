#include "ledger/invoice_items.h"

#include "ledger/fields.h"
#include "ledger/limits.h"
#include "ledger/lots.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kItemsMax = 1'000'000;

KeyWriter items_of(std::string_view payer_id, Month month) {
  KeyWriter key('Z');
  key.text(payer_id).number(number_of(month));
  return key;
}

Result<InvoiceItem> read_item(std::string_view key, std::string_view value) {
  InvoiceItem item;
  if (key.size() >= 2) {
    item.kind = static_cast<ItemKind>(key[0]);
    item.lot = key.substr(1, key.size() - 2);
  }
  FieldReader fields(value);
  item.count = fields.number();
  item.amount = fields.amount();
  if (!fields.ok() || !fields.at_end() || key.size() < 2 || item.kind > ItemKind::kRefunded) {
    return fail(ErrorCode::kCorrupt, "an item of an invoice cannot be read");
  }
  return item;
}

}  // namespace

Result<> add_invoice_item(State& state, std::string_view payer_id, Month month, ItemKind kind,
                          std::string_view lot, Money amount) {
  KeyWriter key = items_of(payer_id, month);
  const size_t prefix = key.view().size();
  const char letter = static_cast<char>(kind);
  key.raw({&letter, 1}).text(lot);
  State::Row& row = *TRY(state.find(key.view()));
  InvoiceItem item;
  if (row.value() != nullptr) item = TRY(read_item(row.key().substr(prefix), *row.value()));
  state.put(row, FieldWriter().number(item.count + 1).amount(item.amount + amount).take());
  return {};
}

Result<> add_lots_spent(State& state, std::string_view payer_id, Month month,
                        const std::vector<Posting>& spent) {
  for (const Posting& each : spent) {
    if (each.currency == kTokenUnit || !each.account.starts_with(kLotAccounts)) continue;
    const std::string_view lot = std::string_view(each.account).substr(kLotAccounts.size());
    TRY(add_invoice_item(state, payer_id, month, ItemKind::kLotSpent, lot, each.amount));
  }
  return {};
}

Result<std::vector<InvoiceItem>> invoice_items(State& state, std::string_view payer_id, Month month) {
  std::vector<InvoiceItem> items;
  const std::string prefix = items_of(payer_id, month).take();
  for (const StateRow& row : TRY(state.scan(prefix, kItemsMax))) {
    items.push_back(TRY(read_item(std::string_view(row.key).substr(prefix.size()), row.value)));
  }
  return items;
}

}  // namespace feilun::ledger
