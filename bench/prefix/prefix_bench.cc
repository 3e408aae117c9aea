// Sends the requests of a trace through the scheduler's prefix cache in virtual time and prints what it
// found.
//
// A trace says of each request when it came, how many tokens its prompt had, and a number for every block of
// the prompt, equal where the prompt is equal up to the block's end. A block of the trace becomes that many
// tokens of its number, so the cache sees exactly the trace's sharing, whatever its own block size. A request
// lasts no time and its answer is not cached; a prompt's last part block is left out; the cache begins empty.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "scheduler/prefix_cache.h"

namespace {

using namespace feilun;
using namespace feilun::scheduler;

struct Request {
  int64_t time_ms = 0;
  int64_t tokens = 0;
  std::vector<int32_t> blocks;  ///< full blocks of the trace
};

struct Trace {
  int block_tokens = 0;
  int unique_blocks = 0;
  std::vector<Request> requests;
};

/// What the two formats call the same things.
struct TraceFields {
  const char* time;
  const char* tokens;
  const char* blocks;
  int block_tokens;
};
constexpr TraceFields kMooncake{"timestamp", "input_length", "hash_ids", 512};
constexpr TraceFields kRtp{"ts", "il", "bh", 1024};

struct RawRequest {
  int64_t time_ms, tokens;
  std::vector<std::string> blocks;
};

Result<RawRequest> read_request(const std::string& line, const TraceFields& fields) {
  const JsonDocument document = TRY(JsonDocument::parse(line));
  const auto root = document.root();
  RawRequest request{};
  simdjson::dom::array blocks;
  if (root[fields.time].get(request.time_ms) != simdjson::SUCCESS ||
      root[fields.tokens].get(request.tokens) != simdjson::SUCCESS ||
      root[fields.blocks].get(blocks) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "not a request of this trace: {}", line.substr(0, 80));
  }
  for (const auto block : blocks) request.blocks.push_back(simdjson::minify(block));
  return request;
}

Result<Trace> read_trace(const char* path, const TraceFields& fields) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::kIo, "cannot read {}", path);
  std::multimap<int64_t, RawRequest> raw;  // by time; those of one instant in the file's order
  for (std::string line; std::getline(file, line);) {
    RawRequest request = TRY(read_request(line, fields));
    raw.emplace(request.time_ms, std::move(request));
  }

  Trace trace{.block_tokens = fields.block_tokens};
  std::unordered_map<std::string, int32_t> numbers;
  for (const auto& [time_ms, one] : raw) {
    Request request{.time_ms = time_ms, .tokens = one.tokens};
    const auto full = static_cast<size_t>(one.tokens / fields.block_tokens);
    for (size_t i = 0; i < std::min(full, one.blocks.size()); ++i) {
      const auto number = static_cast<int32_t>(numbers.size());
      request.blocks.push_back(numbers.emplace(one.blocks[i], number).first->second);
    }
    trace.requests.push_back(std::move(request));
  }
  trace.unique_blocks = static_cast<int>(numbers.size());
  return trace;
}

struct Outcome {
  int64_t tokens = 0, cached = 0;              ///< of all requests
  int64_t later_tokens = 0, later_cached = 0;  ///< of the second half of them
  double seconds = 0;                          ///< processor time in the cache
};

Outcome replay(const Trace& trace, CachePolicy policy, int cache_block_tokens, int64_t cache_tokens) {
  const int cache_blocks = static_cast<int>(cache_tokens / cache_block_tokens);
  PrefixCache cache({.block_count = cache_blocks, .block_tokens = cache_block_tokens, .policy = policy});
  Outcome outcome;
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    const Request& request = trace.requests[i];
    const MonoTime now{std::chrono::milliseconds(request.time_ms)};
    tokens.clear();
    for (const int32_t block : request.blocks) {
      tokens.insert(tokens.end(), static_cast<size_t>(trace.block_tokens), block);
    }
    const auto full = std::min<size_t>(tokens.size(), static_cast<size_t>(cache_tokens));
    tokens.resize(static_cast<size_t>(std::max<int64_t>(request.tokens, 0)), -1);

    const std::clock_t begin = std::clock();
    BlockTable table;
    const TokenCount cached = cache.match(table, tokens, now);
    cache.reserve(table, static_cast<TokenCount>(full), now);
    cache.publish(table, std::span(tokens).first(full), now);
    cache.release(table, FinishClass::kOther, now);
    outcome.seconds += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;

    const bool later = i >= trace.requests.size() / 2;
    outcome.tokens += request.tokens;
    outcome.cached += cached;
    if (later) outcome.later_tokens += request.tokens;
    if (later) outcome.later_cached += cached;
  }
  cache.check({});
  return outcome;
}

Result<> run(const char* path, const std::string& format, int cache_block_tokens, std::span<char*> shares) {
  const Trace trace = TRY(read_trace(path, format == "rtp" ? kRtp : kMooncake));
  const int block_tokens = cache_block_tokens == 0 ? trace.block_tokens : cache_block_tokens;
  for (const char* share : shares) {
    const auto blocks = static_cast<int64_t>(std::atof(share) / 100 * trace.unique_blocks);
    for (const CachePolicy policy : {CachePolicy::kLru, CachePolicy::kGittins}) {
      const Outcome outcome = replay(trace, policy, block_tokens, blocks * trace.block_tokens);
      fmt::print(
          "{{\"share\": {}, \"policy\": \"{}\", \"tokens\": {}, \"cached\": {}, \"later_tokens\": {}, "
          "\"later_cached\": {}, \"requests\": {}, \"seconds\": {:.3f}}}\n",
          share, policy == CachePolicy::kLru ? "lru" : "gittins", outcome.tokens, outcome.cached,
          outcome.later_tokens, outcome.later_cached, trace.requests.size(), outcome.seconds);
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr,
               "usage: prefix_bench TRACE mooncake|rtp BLOCK-TOKENS SHARE…\n"
               "BLOCK-TOKENS 0: the trace's own; SHARE: cache size, percent of the trace's unique blocks\n");
    return 2;
  }
  const auto done =
      run(argv[1], argv[2], std::atoi(argv[3]), std::span(argv, static_cast<size_t>(argc)).subspan(4));
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message);
  return 1;
}
