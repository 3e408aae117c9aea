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

enum class Fault {
  kFullDisk,            ///< a write fails with SQLITE_FULL and writes nothing
  kShortWrite,          ///< a write fails, and only its first half is written, and reaches the disk
  kFailedSync,          ///< a sync fails with SQLITE_IOERR_FSYNC, and the unsynced bytes are gone
  kFailedDatabaseSync,  ///< the same of a database file proper, which only a checkpoint asks for
  kPowerLoss,           ///< at a write the process is killed: what was not synced is gone
  kTornPowerLoss,       ///< the same, but every other block that was not synced is on the disk
};

/// From now on the n-th write, or sync (1 is the next), meets the fault, once.
void arm(Fault fault, int64_t n);
/// How many syncs were asked for since the last fault struck; −1 when none has.
int64_t syncs_since_fault();

}  // namespace feilun::crash
