#include <string>

#include "ledger/verify_replay.h"

// What each derived table must hold, column by column in the order of its definition.

namespace feilun::ledger::audit {
namespace {

Cell number(int64_t value) {
  return {Cell::Type::kInteger, value};
}
Cell text(const std::string& value) {
  return {Cell::Type::kText, 0, value};
}
Cell blob(const std::string& value) {
  return {Cell::Type::kBlob, 0, value};
}

Cell amount(int128 value) {
  const auto flipped = static_cast<unsigned __int128>(value) ^ (static_cast<unsigned __int128>(1) << 127);
  std::string bytes(16, '\0');
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<char>(flipped >> (120 - 8 * i));
  return blob(bytes);
}

void append(std::vector<Cell>& cells, const Classes& usage) {
  for (const int64_t tokens : usage.tokens) cells.push_back(number(tokens));
}

}  // namespace

ExpectedTable Replay::accounts() const {
  ExpectedTable table;
  for (const auto& [name, account] : accounts_) {
    std::string key = name.first + '\0' + name.second;
    table[std::move(key)] = {{text(name.first), text(name.second), amount(account.balance)},
                             account.sequence};
  }
  return table;
}

ExpectedTable Replay::projects() const {
  ExpectedTable table;
  for (const auto& [id, row] : projects_) {
    table[id] = {{text(id), text(row.name), text(row.organisation), text(row.currency)}, row.sequence};
  }
  return table;
}

ExpectedTable Replay::keys() const {
  ExpectedTable table;
  for (const auto& [id, row] : keys_) {
    table[id] = {
        {text(id), text(row.project), text(row.name), text(row.hint), number(row.role), blob(row.hash),
         number(row.created), row.is_revoked ? number(row.revoked) : Cell{}, number(row.sequence)},
        row.sequence};
  }
  return table;
}

ExpectedTable Replay::prices() const {
  ExpectedTable table;
  for (const auto& [id, row] : prices_) {
    std::vector<Cell> cells = {number(id), text(row.offering), text(row.currency)};
    for (const int128 unit : row.units) cells.push_back(amount(unit));
    cells.push_back(number(row.from));
    cells.push_back(number(row.until));
    table[std::to_string(id)] = {std::move(cells), row.sequence};
  }
  return table;
}

ExpectedTable Replay::open_holds() const {
  ExpectedTable table;
  for (const auto& [id, row] : open_) {
    std::vector<Cell> cells = {text(id),
                               text(row.key),
                               text(row.project),
                               number(row.tier),
                               number(row.price),
                               number(row.input_tokens),
                               number(row.output_tokens),
                               amount(row.held)};
    append(cells, row.mark);
    cells.push_back(number(row.opened));
    table[id] = {std::move(cells), row.sequence};
  }
  return table;
}

ExpectedTable Replay::ended() const {
  ExpectedTable table;
  for (const auto& [id, sequence] : ended_) table[id] = {{text(id), number(sequence)}, sequence};
  return table;
}

ExpectedTable Replay::credits() const {
  ExpectedTable table;
  for (const auto& [id, row] : credits_) {
    table[id] = {{text(id), text(row.project), text(row.currency), amount(row.amount), number(row.sequence)},
                 row.sequence};
  }
  return table;
}

ExpectedTable Replay::usage() const {
  ExpectedTable table;
  for (const auto& [id, row] : usage_) {
    std::vector<Cell> cells = {text(id), number(row.requests)};
    append(cells, row.classes);
    cells.push_back(amount(row.charged));
    table[id] = {std::move(cells), row.sequence};
  }
  return table;
}

}  // namespace feilun::ledger::audit
