// Streaming clients of an OpenAI server: each sends its requests one after the other to /v1/completions and
// notes when pieces of the answers come. Prints one JSON object; its own processor time is in it, because the
// clients share the machine with the server.
//
//   serving_load BASE_URL REQUESTS [TTFT_SECONDS INTER_TOKEN_SECONDS]
//
// REQUESTS is a file with a line for each request: the client's number, its key ("-" for none), and the JSON
// body, apart by tabs. The body asks for a stream with usage, from which the number of tokens is read.
//
// What is measured:
//   - full_rate: tokens/s from when every client's first answer has begun until the first of them ends, so
//     that the whole number of clients is served in the whole time (a client's tokens in that time are its
//     answer's tokens in proportion to its pieces: a piece may hold several tokens)
//   - rate: all tokens over all time
//   - goodput: tokens over all time of the requests whose first piece came within the first bound and whose
//     mean time between tokens keeps the second
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/http_client.h"

using namespace feilun;

namespace {

using Clock = std::chrono::steady_clock;

struct Request {
  std::string key;
  std::string body;
};

/// What one request brought.
struct Answer {
  Clock::time_point sent;
  std::vector<Clock::time_point> pieces;
  int64_t tokens = 0;
  std::string error;

  double first_seconds() const { return std::chrono::duration<double>(pieces.front() - sent).count(); }
  double seconds_per_token() const {
    const double seconds = std::chrono::duration<double>(pieces.back() - pieces.front()).count();
    return tokens > 1 ? seconds / static_cast<double>(tokens - 1) : 0;
  }
};

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

std::map<int, std::vector<Request>> read_requests(const char* path) {
  std::ifstream file(path);
  std::map<int, std::vector<Request>> by_client;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find('\t');
    const size_t second = first == line.npos ? line.npos : line.find('\t', first + 1);
    if (second == line.npos) stop(fmt::format("{}: a line is not CLIENT, KEY and BODY apart by tabs", path));
    by_client[std::atoi(line.c_str())].push_back(
        {line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  if (by_client.empty()) stop(fmt::format("{} has no requests", path));
  return by_client;
}

int64_t number_after(std::string_view data, std::string_view name) {
  const size_t at = data.find(name);
  return at == data.npos ? 0 : std::atoll(data.data() + at + name.size());
}

Answer ask(const std::string& url, const Request& request) {
  net::HttpClientOptions options{.base_url = url};
  if (request.key != "-") options.headers.add("authorization", "Bearer " + request.key);
  const auto client = net::HttpClient::create(std::move(options));
  if (!client) stop(client.error().message);
  Answer answer{.sent = Clock::now()};
  const auto reply = client->post_stream("/v1/completions", request.body, [&](const net::SseEvent& event) {
    if (event.data.find("\"text\":\"") != std::string::npos &&
        event.data.find("\"text\":\"\"") == std::string::npos) {
      answer.pieces.push_back(Clock::now());
    }
    if (const int64_t tokens = number_after(event.data, "\"completion_tokens\":")) answer.tokens = tokens;
    return true;
  });
  if (!reply)
    answer.error = reply.error().message;
  else if (reply->status != 200)
    answer.error = fmt::format("{}: {}", reply->status, reply->body);
  else if (answer.pieces.empty() || answer.tokens == 0)
    answer.error = "an answer without text or usage";
  return answer;
}

/// Tokens a second between the last client's first piece and the first client's last one.
double full_rate(const std::vector<std::vector<Answer>>& clients) {
  Clock::time_point start = Clock::time_point::min(), end = Clock::time_point::max();
  for (const auto& answers : clients) {
    if (answers.front().pieces.empty()) return 0;
    start = std::max(start, answers.front().pieces.front());
    end = std::min(end, answers.front().pieces.back());
  }
  if (start >= end) return 0;
  double tokens = 0;
  for (const auto& answers : clients) {
    const Answer& answer = answers.front();
    const auto inside =
        std::ranges::count_if(answer.pieces, [&](Clock::time_point at) { return at > start && at <= end; });
    tokens += static_cast<double>(answer.tokens * inside) / static_cast<double>(answer.pieces.size());
  }
  return tokens / std::chrono::duration<double>(end - start).count();
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

void print_summary(const std::vector<std::vector<Answer>>& clients, double seconds, double first_max,
                   double between_max) {
  std::vector<double> first, between;
  int64_t tokens = 0, good_tokens = 0;
  int good = 0, failed = 0;
  for (const auto& answers : clients) {
    for (const Answer& answer : answers) {
      if (!answer.error.empty()) {
        if (failed++ == 0) fmt::print(stderr, "{}\n", answer.error);
        continue;
      }
      tokens += answer.tokens;
      first.push_back(answer.first_seconds());
      between.push_back(answer.seconds_per_token());
      if (first.back() > first_max || between.back() > between_max) continue;
      ++good;
      good_tokens += answer.tokens;
    }
  }
  fmt::print(
      "{{\"requests\":{},\"failed\":{},\"good\":{},\"seconds\":{:.3f},\"rate\":{:.2f},\"goodput\":{:.2f},"
      "\"full_rate\":{:.2f},\"ttft_median\":{:.3f},\"ttft_p95\":{:.3f},\"inter_token_median\":{:.4f},"
      "\"inter_token_p95\":{:.4f},\"client_processor_seconds\":{:.3f}}}\n",
      first.size() + static_cast<size_t>(failed), failed, good, seconds,
      static_cast<double>(tokens) / seconds, static_cast<double>(good_tokens) / seconds, full_rate(clients),
      quantile(first, 0.5), quantile(first, 0.95), quantile(between, 0.5), quantile(between, 0.95),
      processor_seconds());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    stop("usage: serving_load BASE_URL REQUESTS [TTFT_SECONDS INTER_TOKEN_SECONDS]");
  }
  const auto requests = read_requests(argv[2]);
  std::vector<std::vector<Answer>> clients(requests.size());
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (const auto& [number, own] : requests) {
    threads.emplace_back([&answers = clients[threads.size()], &own, url = std::string(argv[1])] {
      for (const Request& request : own) answers.push_back(ask(url, request));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  print_summary(clients, seconds, argc == 5 ? std::atof(argv[3]) : 1e9, argc == 5 ? std::atof(argv[4]) : 1e9);
}
