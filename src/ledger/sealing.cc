#include "ledger/sealing.h"

#include "ledger/segment.h"

namespace feilun::ledger {
namespace {

Result<bool> seal(Store& store, const SealingOptions& options) {
  const ChainHead head = TRY(store.head());
  const auto sealed = TRY(store.segments());
  const ChainHead last = sealed.empty() ? ChainHead() : ChainHead{sealed.back().last, sealed.back().hash};
  if (head.sequence - last.sequence < options.run + options.kept) return false;
  SegmentWriter writer(last);
  for (JournalRow& row : TRY(store.entries(last.sequence, options.run))) TRY(writer.add(std::move(row)));
  TRY(store.seal(writer.finish()));
  return true;
}

}  // namespace

Result<bool> seal_oldest(Store& store, const SealingOptions& options) {
  TRY(store.begin(Store::Access::kWrite));
  auto done = seal(store, options);
  if (!done || !*done) {
    store.rollback();
    return done;
  }
  TRY(store.commit());
  return true;
}

}  // namespace feilun::ledger
