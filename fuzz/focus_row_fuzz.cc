// LINK: feilun_ledger
// Whatever texts and numbers a charge has, its row has all columns and each text comes back as it was.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "ledger/focus.h"
#include "ledger/invoice_fixture.h"

namespace {

using namespace feilun;
using namespace feilun::ledger;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Pieces of the input: texts after their length in a byte, numbers of eight bytes.
struct Input {
  std::string_view rest;

  std::string text() {
    if (rest.empty()) return {};
    const size_t length = std::min<size_t>(static_cast<uint8_t>(rest[0]), rest.size() - 1);
    std::string taken(rest.substr(1, length));
    rest.remove_prefix(1 + length);
    return taken;
  }
  int64_t number() {
    int64_t value = 0;
    const size_t length = std::min(sizeof(value), rest.size());
    std::memcpy(&value, rest.data(), length);
    rest.remove_prefix(length);
    return value;
  }
};

FocusCharge read_charge(Input& input) {
  FocusCharge charge;
  charge.category = static_cast<ChargeCategory>(static_cast<uint64_t>(input.number()) % 5);
  charge.tier = static_cast<pricing::ServiceTier>(static_cast<uint64_t>(input.number()) % 4);
  charge.quantity = input.number() / 1'000'000;
  charge.list_unit = Money::pico(input.number());
  charge.contracted_unit = Money::pico(input.number());
  charge.billed = Money::pico(input.number());
  charge.billing_period = {WallTime(std::chrono::microseconds(input.number())), WallTime::max()};
  charge.organisation_id = input.text();
  charge.organisation_name = input.text();
  charge.project_id = input.text();
  charge.key_id = input.text();
  charge.offering = input.text();
  charge.token_class = input.text();
  charge.description = input.text();
  if (input.number() % 2 != 0) {
    charge.commitment = FocusCommitment{input.text(), input.text(), input.text()};
    charge.commitment->part = static_cast<FocusCommitment::Part>(static_cast<uint64_t>(input.number()) % 3);
  }
  return charge;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input{{reinterpret_cast<const char*>(data), size}};
  const FocusProvider provider{"provider", "publisher", "issuer", "service"};
  const FocusCharge charge = read_charge(input);
  const auto rows = read_csv_cells(focus_csv(provider, std::span(&charge, 1)));
  require(rows && rows->size() == 2 && rows->at(1).size() == focus_columns().size());
  const auto cell = [&](std::string_view name) {
    size_t column = 0;
    while (focus_columns()[column].name != name) ++column;
    return rows->at(1)[column].value_or("");
  };
  require(cell("BillingAccountId") == "wallets/" + charge.organisation_id);
  require(cell("SubAccountId").ends_with(charge.project_id));
  require(charge.description.empty() || cell("ChargeDescription") == charge.description);
  require(Money::parse(cell("BilledCost")) == charge.billed);
  return 0;
}
