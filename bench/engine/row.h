#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What every contestant's driver shares: the rows they measure, the prompts they read, the lines they speak.
//
//   prefill:N   seconds from a prompt of N tokens to its first token          N / seconds
//   stream:C    one sequence, C tokens in its context when it starts          tokens / seconds
//   decode:N    N sequences side by side after prompts of 64 tokens each      tokens / seconds
//
// A driver loads its model once, prints a line about itself, and then answers each row it is given (by its
// arguments, or by its standard input until that ends) with a line of JSON. So the contestants of a benchmark
// can take turns row by row without loading again.

namespace feilun::bench {

struct Row {
  enum class Kind { kPrefill, kStream, kDecode };
  Kind kind = Kind::kPrefill;
  int count = 0;

  int sequences() const { return kind == Kind::kDecode ? count : 1; }
  int prompt_tokens() const { return kind == Kind::kDecode ? 64 : count; }
  bool decodes() const { return kind != Kind::kPrefill; }
};

inline std::optional<Row> parse_row(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == text.npos) return std::nullopt;
  const std::string_view kind = text.substr(0, colon);
  const int count = std::atoi(text.data() + colon + 1);
  if (count < 1) return std::nullopt;
  if (kind == "prefill") return Row{Row::Kind::kPrefill, count};
  if (kind == "stream") return Row{Row::Kind::kStream, count};
  if (kind == "decode") return Row{Row::Kind::kDecode, count};
  return std::nullopt;
}

/// Another prompt for each (turn, sequence), different from its first token on: no prefix cache can help.
inline std::vector<int32_t> prompt(int turn, int sequence, int tokens) {
  std::vector<int32_t> prompt;
  uint64_t state = static_cast<uint64_t>(turn) * 1'000'003 + static_cast<uint64_t>(sequence) * 7919 + 1;
  for (int i = 0; i < tokens; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    prompt.push_back(1000 + static_cast<int32_t>((state >> 33) % 90'000));
  }
  return prompt;
}

/// Answers every row with measure(row, turn) in tokens per second.
inline int answer_rows(int argc, char** argv, int first_argument, const std::string& about,
                       const std::function<double(const Row&, int turn)>& measure) {
  std::printf("{\"ready\":\"%s\"}\n", about.c_str());
  std::fflush(stdout);
  int turn = 1;
  const auto answer = [&](const std::string& text) {
    const auto row = parse_row(text);
    if (!row) {
      std::fprintf(stderr, "'%s' is not prefill:N, stream:N or decode:N\n", text.c_str());
      return false;
    }
    std::printf("{\"row\":\"%s\",\"tokens_per_second\":%.2f}\n", text.c_str(), measure(*row, turn++));
    std::fflush(stdout);
    return true;
  };
  for (int i = first_argument; i < argc; ++i) {
    if (!answer(argv[i])) return 2;
  }
  if (first_argument < argc) return 0;
  for (std::string line; std::getline(std::cin, line);) {
    if (!answer(line)) return 2;
  }
  return 0;
}

}  // namespace feilun::bench
