// LINK: feilun_ledger
// Any bytes may stand in ledger.db: verify gives problems, never a crash.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "ledger/audit.h"

namespace {

const std::filesystem::path& directory() {
  static const std::filesystem::path made = [] {
    std::string name = (std::filesystem::temp_directory_path() / "feilun-verify-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    return std::filesystem::path(name);
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const char* name : {"ledger.db-wal", "ledger.db-shm", "ledger.db-journal"}) {
    std::filesystem::remove(directory() / name);
  }
  std::ofstream(directory() / "ledger.db", std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  (void)feilun::ledger::verify(directory());
  return 0;
}
