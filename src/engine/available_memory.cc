#include "engine/available_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace feilun::engine {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

std::optional<int64_t> parse_number(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + first, text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  return value;
}

/// The number after `key` on the line that starts with it; an empty key reads the file's first line.
std::optional<int64_t> read_number(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return parse_number(std::string_view(line).substr(key.size()));
  }
  return std::nullopt;
}

/// How the two versions of control groups name the same things.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* droppable;  ///< key in memory.stat
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file "};

int64_t room_in(const fs::path& group, const GroupFiles& files) {
  const auto limit = read_number(group / files.limit, "");  // "max" is no number: no limit
  const auto usage = read_number(group / files.usage, "");
  if (!limit || !usage) return kUnlimited;
  const int64_t droppable = read_number(group / "memory.stat", files.droppable).value_or(0);
  const int64_t fixed = *usage - std::min(*usage, droppable);
  return *limit - std::min(*limit, fixed);
}

/// The least room of the group at `path` below `mount` and of all groups above it.
int64_t room_upwards(const fs::path& mount, fs::path path, const GroupFiles& files) {
  int64_t room = room_in(mount, files);
  for (path = path.relative_path(); !path.empty(); path = path.parent_path()) {
    room = std::min(room, room_in(mount / path, files));
  }
  return room;
}

/// /proc/self/cgroup has a line "ID:CONTROLLERS:PATH" for each hierarchy; version 2 has no controllers.
int64_t room_in_groups(const fs::path& root) {
  int64_t room = kUnlimited;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t controllers = line.find(':');
    const size_t path = controllers == std::string::npos ? controllers : line.find(':', controllers + 1);
    if (path == std::string::npos) continue;
    const std::string names = "," + line.substr(controllers + 1, path - controllers - 1) + ",";
    if (names == ",,") {
      room = std::min(room, room_upwards(root / "sys/fs/cgroup", line.substr(path + 1), kVersion2));
    } else if (names.contains(",memory,")) {
      room = std::min(room, room_upwards(root / "sys/fs/cgroup/memory", line.substr(path + 1), kVersion1));
    }
  }
  return room;
}

}  // namespace

int64_t available_memory(const fs::path& root) {
  const auto kib = read_number(root / "proc/meminfo", "MemAvailable:");
  const int64_t machine = kib && *kib <= kUnlimited / 1024 ? *kib * 1024 : kUnlimited;
  return std::min(machine, room_in_groups(root));
}

}  // namespace feilun::engine
