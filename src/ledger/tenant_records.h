#pragma once

#include "ledger/ledger.h"
#include "ledger/record.h"

// Tenants as records and back. The bodies are part of the format (docs/formats/ledger.md).

namespace feilun::ledger {

/// A key with what is never shown of it.
struct KeyRow {
  Key key;
  Hash hash{};          ///< BLAKE2b-256 of the secret
  int64_t changed = 0;  ///< the journal entry that last touched it
};

Record record_of(const Organisation& organisation);
Record record_of(const Project& project);
Record record_of(const KeyRow& row);

Result<Organisation> organisation_from(const Record& record);
Result<Project> project_from(const Record& record);
Result<KeyRow> key_from(const Record& record);

}  // namespace feilun::ledger
