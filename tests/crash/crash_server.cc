// The whole of feilun with a disk that forgets what was not synced (lossy_vfs.h).
#include "apps/command_line.h"
#include "tests/crash/lossy_vfs.h"

int main(int argc, char** argv) {
  feilun::crash::install_lossy_vfs();
  return feilun::apps::run_command_line(argc, argv);
}
