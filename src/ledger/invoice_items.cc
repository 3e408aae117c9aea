#include "ledger/invoice_items.h"

#include "ledger/fields.h"
#include "ledger/limits.h"
#include "ledger/lots.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kItemsMax = 1'000'000;

std::string items_prefix(std::string_view payer_id, Month month) {
  const int64_t number = int{month.year()} * 12 + static_cast<int64_t>(unsigned{month.month()}) - 1;
  return KeyWriter('Z').text(payer_id).number(number).take();
}

std::string item_key(std::string_view payer_id, Month month, ItemKind kind, std::string_view lot) {
  std::string key = items_prefix(payer_id, month);
  key.push_back(static_cast<char>(kind));
  return key.append(lot).append(1, '\0');
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
  const std::string key = item_key(payer_id, month, kind, lot);
  InvoiceItem item;
  const std::string* value = TRY(state.get(key));
  if (value != nullptr) item = TRY(read_item(key.substr(items_prefix(payer_id, month).size()), *value));
  state.put(key, FieldWriter().number(item.count + 1).amount(item.amount + amount).take());
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
  const std::string prefix = items_prefix(payer_id, month);
  for (const StateRow& row : TRY(state.scan(prefix, kItemsMax))) {
    items.push_back(TRY(read_item(std::string_view(row.key).substr(prefix.size()), row.value)));
  }
  return items;
}

}  // namespace feilun::ledger
