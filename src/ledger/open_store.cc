#include "ledger/open_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ledger/postgres_store.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

/// Makes the database's file when absent, readable by its owner alone; SQLite gives its other files the same
/// mode. One that is there is left alone: closing any descriptor of a file would drop the locks that SQLite
/// holds on it in this process, and another process would then delete the log that is in use.
Result<> create_private(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) return {};
  if (file < 0) return fail(ErrorCode::kIo, "cannot open {}: {}", path.string(), std::strerror(errno));
  close(file);
  return {};
}

Result<std::unique_ptr<Store>> open_database(const LedgerOptions& options) {
  if (!options.url.empty()) return open_postgres_store(options.url, options.postgres);
  const auto path = options.directory / "ledger.db";
  TRY(create_private(path));
  return open_sqlite_store(path);
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const LedgerOptions& options) {
  auto store = TRY(open_database(options));
  store->set_archive(options.archive.empty() ? options.directory / "archive" : options.archive);
  return store;
}

}  // namespace feilun::ledger
