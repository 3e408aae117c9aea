#include "gateway/spool_metrics.h"

#include <fmt/format.h>

namespace feilun::gateway {

std::string spool_metrics(const ledger::SpoolStats& spool) {
  struct Row {
    const char* name;
    const char* type;
    const char* help;
    int64_t value;
  };
  const Row rows[] = {
      {"feilun_ledger_away", "gauge", "1 while the ledger's database does not answer.", spool.away ? 1 : 0},
      {"feilun_ledger_spool_records", "gauge", "Marks and ends of requests in the spool alone.",
       spool.records},
      {"feilun_ledger_spool_bytes", "gauge", "Size of the spool's file.", spool.bytes},
      {"feilun_ledger_spooled_total", "counter", "Records written to the spool.", spool.spooled},
      {"feilun_ledger_replayed_total", "counter", "Records that an earlier process had left in the spool.",
       spool.replayed},
      {"feilun_ledger_fenced_total", "counter", "Ends of requests refused, as others had ended them.",
       spool.fenced},
      {"feilun_ledger_wasted_input_tokens_total", "counter",
       "Input of these, computed and not charged as such.", spool.wasted.input()},
      {"feilun_ledger_wasted_output_tokens_total", "counter", "The same of their output.",
       spool.wasted.total_output()}};
  std::string out;
  for (const Row& row : rows) {
    out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", row.name, row.type, row.help, row.value);
  }
  return out;
}

}  // namespace feilun::gateway
