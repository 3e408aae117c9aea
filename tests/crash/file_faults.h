#pragma once

#include <cstdint>

namespace feilun::crash {

/// What the n-th change of a regular file meets, whoever asks for it: our own code, the standard library,
/// SQLite. A change is a write, a cut, a sync, a renaming or a deletion. The program that links this has the
/// system's functions of these names replaced; as long as nothing is armed they do what they always do. What
/// was written stays in the kernel's page cache: power that is lost is lossy_vfs.h. For tests only.
enum class FileFault {
  kFullDisk,    ///< it fails with ENOSPC, and so does every write after it
  kShortWrite,  ///< half of a write is done, and then as kFullDisk; other changes are done
  kFailedSync,  ///< a sync fails with EIO; other changes are done
  kKill         ///< the process is killed before it
};

/// From now on, in this process: 1 is the next change that the fault is for.
void arm_files(FileFault fault, int64_t nth);
bool file_fault_struck();

}  // namespace feilun::crash
