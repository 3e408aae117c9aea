// A conversation with a running server in the terminal: reads a line, prints the answer as it streams.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "apps/command.h"
#include "base/json.h"
#include "net/http_client.h"

namespace feilun::apps {
namespace {

struct ChatOptions {
  std::string url = "http://127.0.0.1:8080";
  std::string key;
  std::string model;
};

/// The message of an error reply in OpenAI's shape; the whole body when it is in no such shape.
std::string error_message(std::string_view body) {
  if (auto document = JsonDocument::parse(body)) {
    std::string_view message;
    if (document->root().at_pointer("/error/message").get(message) == simdjson::SUCCESS)
      return std::string(message);
  }
  return std::string(body);
}

Result<> expect_success(const net::Response& response) {
  if (response.status < 400) return {};
  const auto code = response.status == 401 ? ErrorCode::kUnauthorized : ErrorCode::kUnavailable;
  return fail(code, "{}", error_message(response.body));
}

Result<std::string> first_model(const net::HttpClient& client) {
  const net::Response response = TRY(client.get("/v1/models"));
  TRY(expect_success(response));
  const JsonDocument document = TRY(JsonDocument::parse(response.body));
  simdjson::dom::array models;
  if (document.root()["data"].get(models) == simdjson::SUCCESS) {
    for (const simdjson::dom::element model : models) {
      std::string_view id;
      std::string_view kind;
      const bool gives_vectors = model["kind"].get(kind) == simdjson::SUCCESS && kind == "embedding";
      if (!gives_vectors && model["id"].get(id) == simdjson::SUCCESS) return std::string(id);
    }
  }
  return fail(
      ErrorCode::kNotFound,
      "the server has no model that generates text: serve one, as in `feilun serve --model NAME=PATH`");
}

/// Prints each piece of text as it comes and gathers the whole.
class AnswerPrinter {
 public:
  bool take(const net::SseEvent& event) {
    if (event.data == "[DONE]") return false;
    const auto document = JsonDocument::parse(event.data);
    if (!document) return true;
    const simdjson::dom::element root = document->root();
    std::string_view piece;
    if (root.at_pointer("/choices/0/delta/content").get(piece) == simdjson::SUCCESS) {
      text_ += piece;
      fmt::print("{}", piece);
      std::fflush(stdout);
    }
    if (root.at_pointer("/error/message").get(piece) == simdjson::SUCCESS) error_ = piece;
    (void)root.at_pointer("/usage/prompt_tokens").get(prompt_tokens_);
    (void)root.at_pointer("/usage/completion_tokens").get(completion_tokens_);
    return true;
  }
  const std::string& text() const { return text_; }
  const std::string& error() const { return error_; }
  std::string footnote() const {
    return fmt::format("{} tokens in, {} out", prompt_tokens_, completion_tokens_);
  }

 private:
  std::string text_;
  std::string error_;
  int64_t prompt_tokens_ = 0;
  int64_t completion_tokens_ = 0;
};

Result<std::string> ask(const net::HttpClient& client, const std::string& model,
                        const boost::json::array& messages, bool terminal) {
  const boost::json::object body{{"model", model},
                                 {"messages", messages},
                                 {"stream", true},
                                 {"stream_options", boost::json::object{{"include_usage", true}}}};
  AnswerPrinter printer;
  const net::Response response =
      TRY(client.post_stream("/v1/chat/completions", boost::json::serialize(body),
                             [&printer](const net::SseEvent& event) { return printer.take(event); }));
  TRY(expect_success(response));
  fmt::print("\n");
  if (!printer.error().empty()) return fail(ErrorCode::kUnavailable, "{}", printer.error());
  if (terminal) fmt::print("\033[2m{}\033[0m\n", printer.footnote());
  return printer.text();
}

Result<> converse(const net::HttpClient& client, const std::string& model) {
  const bool terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
  if (terminal) fmt::print("talking to {}; /new starts over, Ctrl-D ends\n", model);
  boost::json::array messages;
  std::string line;
  while (true) {
    if (terminal) fmt::print("\033[1m> \033[0m");
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    if (line == "/new") {
      messages.clear();
      continue;
    }
    messages.push_back(boost::json::object{{"role", "user"}, {"content", line}});
    auto answer = ask(client, model, messages, terminal);
    if (!answer && !terminal) return std::unexpected(answer.error());
    if (!answer) {
      fmt::print("{}\n", answer.error().message);
      messages.pop_back();
      continue;
    }
    messages.push_back(boost::json::object{{"role", "assistant"}, {"content", *answer}});
  }
  if (terminal) fmt::print("\n");
  return {};
}

Result<> chat(const ChatOptions& options) {
  if (options.key.empty()) {
    return fail(ErrorCode::kUnauthorized,
                "a project key is needed: set FEILUN_KEY or give --key; `feilun key create` makes one");
  }
  net::HttpClientOptions client_options;
  client_options.base_url = options.url;
  for (const std::string_view end : {"/", "/v1"}) {  // what an SDK is given works here too
    std::string& url = client_options.base_url;
    if (url.ends_with(end)) url.erase(url.size() - end.size());
  }
  client_options.headers = {{"Authorization", "Bearer " + options.key}, {"Content-Type", "application/json"}};
  const net::HttpClient client = TRY(net::HttpClient::create(std::move(client_options)));
  const std::string model = options.model.empty() ? TRY(first_model(client)) : options.model;
  return converse(client, model);
}

}  // namespace

void add_chat_command(CLI::App& app, Run& chosen) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* command = app.add_subcommand("chat", "Talk to a running server in the terminal");
  command->add_option("--url", options->url, "Where the server answers")
      ->envname("FEILUN_URL")
      ->capture_default_str();
  command->add_option("--key", options->key, "A project key")->envname("FEILUN_KEY");
  command->add_option("--model", options->model, "Which model; the first that the server lists if not given");
  on_chosen(command, chosen, options, chat);
}

}  // namespace feilun::apps
