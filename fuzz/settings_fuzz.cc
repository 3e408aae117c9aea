// LINK: feilun_apps
// A settings file is written by hand: whatever stands in it, the answer is settings or one clear sentence.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "apps/settings.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = "/tmp/feilun-settings-fuzz-" + std::to_string(getpid()) + ".toml";
  FILE* file = std::fopen(path.c_str(), "wb");
  CHECK(file != nullptr);
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  const auto settings = feilun::apps::load_settings({}, std::filesystem::path(path));
  CHECK(settings || !settings.error().message.empty());
  std::filesystem::remove(path);
  return 0;
}
