#include "gateway/generation_tape.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace feilun::gateway {
namespace asio = boost::asio;

asio::awaitable<void> GenerationTape::wait() {
  while (items_.empty() && !ending_) {
    bell_.expires_at(asio::steady_timer::time_point::max());
    co_await bell_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

std::optional<GenerationTape::Item> GenerationTape::pop() {
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

}  // namespace feilun::gateway
