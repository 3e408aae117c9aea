#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/verify_fields.h"

/// The tables of docs/formats/ledger.md, line by line: a new kind of entry or a new table of the state is a
/// line in verify_format.cc, and a rule in Replay.
namespace feilun::ledger::audit {

enum class Kind : uint8_t {
  kAct = 1,
  kCredit = 2,
  kGrant = 3,
  kExpire = 4,
  kHold = 5,
  kTopUp = 6,
  kMark = 7,
  kSettle = 8,
  kRelease = 9,
  kCost = 10,
  kRefund = 11,
  kTrueUp = 12,
  kInvoice = 13,
  kCreditNote = 14,
  kAlert = 15,
  kNotified = 16,
  kClaim = 17,
  kPayment = 18,
};

struct KindSpec {
  Kind kind;
  const char* name;
  std::vector<FieldSpec> fields;
};

struct Entry {
  const KindSpec* spec = nullptr;
  Fields fields;
  std::vector<Posting> postings;

  Kind kind() const { return spec->kind; }
  const std::string& text(std::string_view name) const { return fields.text(name); }
  int64_t number(std::string_view name) const { return fields.number(name); }
  int128 amount(std::string_view name) const { return fields.amount(name); }
  const Classes& usage() const { return fields.usage("usage"); }
};

/// The entry, or what is wrong with the bytes.
std::expected<Entry, std::string> read_payload(std::string_view bytes);

struct TableSpec {
  char letter;
  const char* name;
  std::vector<FieldSpec> key;
  std::vector<FieldSpec> value;
  bool replayed = true;  ///< false: it is kept beside the journal, and its rows are left as they are
};

/// Whether the auditor knows what rows of this key's table must be.
bool is_replayed(std::string_view key);
/// The letters of the tables of which it does.
std::string replayed_tables();
/// The names of all kinds of entries.
std::vector<std::string> kind_names();

/// A row of the state as a person calls it: "account 'wallet:proj_1' CNY".
std::string row_name(std::string_view key);
/// How the value `found` differs from the value `right`, field by field: "amount is 5.00, not 7.00".
std::string difference(std::string_view key, std::string_view found, std::string_view right);

}  // namespace feilun::ledger::audit
