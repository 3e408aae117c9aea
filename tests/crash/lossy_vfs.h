#pragma once

#include <cstdint>

namespace feilun::crash {

/// Makes a SQLite VFS the process's default that keeps every write in the process's memory until xSync of
/// that file. A process killed with SIGKILL has then lost exactly its unsynced writes, as a machine that lost
/// power would have; without it the kernel's page cache would survive and hide a missing fsync. All
/// connections of the process see the unsynced bytes. Other processes may use the same database: they see
/// what was synced. Locks and the WAL's shared memory pass through. For tests only; may be called more than
/// once.
void install_lossy_vfs();

/// From now on the n-th write (1 is the next) fails once with SQLITE_FULL, as on a full disk.
void fail_write(int64_t n);
/// From now on the n-th sync fails once with SQLITE_IOERR_FSYNC, and the unsynced bytes are gone.
void fail_sync(int64_t n);
/// The same for syncs of a database file proper, which only a checkpoint asks for.
void fail_database_sync(int64_t n);
/// How many syncs were asked for since the last fault struck; −1 when none has.
int64_t syncs_since_fault();

}  // namespace feilun::crash
