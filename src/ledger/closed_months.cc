#include "ledger/closed_months.h"

#include <algorithm>
#include <string>

#include "ledger/fields.h"

namespace feilun::ledger {
namespace {

KeyWriter first_open_key(std::string_view payer_id) {
  KeyWriter key('S');
  key.raw("open ").text(payer_id);
  return key;
}

}  // namespace

Result<Month> counting_month(State& state, std::string_view payer_id, Month month) {
  const std::string* value = TRY(state.get(first_open_key(payer_id).view()));
  const int64_t number = number_of(month);
  const int64_t first_open = value == nullptr ? number : FieldReader(*value).number();
  return month + std::chrono::months(std::max(first_open, number) - number);
}

Result<> close_month(State& state, std::string_view payer_id, Month month) {
  const Month first_open = TRY(counting_month(state, payer_id, month + std::chrono::months(1)));
  state.put(first_open_key(payer_id).view(), FieldWriter().number(number_of(first_open)).take());
  return {};
}

}  // namespace feilun::ledger
