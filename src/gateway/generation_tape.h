#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>

#include "gateway/meter.h"

namespace feilun::gateway {

/// What a Meter reported, in order, for the coroutine that writes the reply. One thread: the executor's.
class GenerationTape final : public MeterListener {
 public:
  struct Item {
    int index = 0;
    engine::GenerationEvent event;
  };

  explicit GenerationTape(boost::asio::any_io_executor executor) : bell_(std::move(executor)) {}

  void on_event(int index, engine::GenerationEvent event) override {
    items_.push_back({index, std::move(event)});
    bell_.cancel();
  }
  void on_end(Ending ending) override {
    ending_ = std::move(ending);
    bell_.cancel();
  }

  /// Returns when there is an item or the ending; one waiter at a time.
  boost::asio::awaitable<void> wait();
  std::optional<Item> pop();
  /// Set when nothing more will come; items may still be left.
  const std::optional<Ending>& ending() const { return ending_; }

 private:
  std::deque<Item> items_;
  std::optional<Ending> ending_;
  boost::asio::steady_timer bell_;  ///< never rings by itself: cancelling it wakes the waiter
};

}  // namespace feilun::gateway
