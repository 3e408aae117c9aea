#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "ledger/postgres_proxy.h"

namespace feilun::ledger {

/// One gateway's way to the server, which a test closes and opens.
class WayThrough {
 public:
  enum class State {
    kOpen,
    kRefused,  ///< whoever connects is hung up on
    kVanished  ///< whoever connects hears nothing, nor does who was connected, not even when it is open again
  };

  explicit WayThrough(std::string server_directory)
      : proxy_(std::move(server_directory),
               [this](int client, int server, const std::stop_token& stop) { carry(client, server, stop); }) {
  }
  std::string url() const { return proxy_.url(); }
  /// From any thread, and from a signal's handler.
  void become(State state) { state_ = state; }

 private:
  void carry(int client, int server, const std::stop_token& stop) {
    pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    while (!stop.stop_requested() && state_ != State::kRefused) {
      const bool moves = poll(both, 2, 10) > 0;
      if (state_ == State::kVanished) return vanish(client, server, stop);
      if (!moves) continue;
      for (size_t from = 0; from < 2; ++from) {
        if (both[from].revents != 0 && !pass(both[from].fd, both[1 - from].fd))
          return hang_up(client, server);
      }
    }
    hang_up(client, server);
  }
  static bool pass(int from, int to) {
    std::array<char, 1 << 14> bytes;
    const ssize_t size = read(from, bytes.data(), bytes.size());
    return size > 0 && PostgresProxy::send_all(to, {bytes.data(), static_cast<size_t>(size)});
  }
  static void vanish(int client, int server, const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    hang_up(client, server);
  }
  static void hang_up(int client, int server) {
    close(client);
    close(server);
  }

  std::atomic<State> state_{State::kOpen};
  PostgresProxy proxy_;
};

}  // namespace feilun::ledger
