#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/temporary_directory.h"

namespace feilun::ledger {

/// Stands between stores and a PostgreSQL's socket, for tests of what becomes of a connection. Each
/// connection is carried by `carry(client, server, stop)` on a thread of its own, which closes both sockets
/// at its end. Whoever owns the proxy and is used by `carry` has it as the last member: threads end with it.
class PostgresProxy {
 public:
  using Carry = std::function<void(int client, int server, const std::stop_token& stop)>;

  PostgresProxy(std::string server_directory, Carry carry)
      : server_(std::move(server_directory)), carry_(std::move(carry)) {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_in(directory_.path());
    CHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(listen(listener_, 8) == 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;
  ~PostgresProxy() {
    thread_.request_stop();
    thread_.join();
    for (std::jthread& each : connections_) each.request_stop();
    connections_.clear();
    close(listener_);
  }

  std::string url() const { return "postgresql:///postgres?user=feilun&host=" + directory_.path().string(); }

  /// False when the other end is gone.
  static bool send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

 private:
  static sockaddr_un address_in(const std::filesystem::path& directory) {
    sockaddr_un address = {.sun_family = AF_UNIX};
    const std::string path = directory / ".s.PGSQL.5432";
    CHECK(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    return address;
  }

  void accept_all(const std::stop_token& stop) {
    pollfd waited = {.fd = listener_, .events = POLLIN};
    while (!stop.stop_requested()) {
      if (poll(&waited, 1, 20) <= 0) continue;
      const int client = accept(listener_, nullptr, nullptr);
      const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_in(server_);
      if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        close(client);  // the server is away
        close(server);
        continue;
      }
      connections_.emplace_back(
          [this, client, server](const std::stop_token& ended) { carry_(client, server, ended); });
    }
  }

  TemporaryDirectory directory_;
  std::string server_;
  Carry carry_;
  int listener_ = -1;
  std::list<std::jthread> connections_;
  std::jthread thread_;
};

}  // namespace feilun::ledger
