#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/visit.h"

namespace feilun::gateway {

// What the router calls: each answers one kind of request. One file per family.

boost::asio::awaitable<void> chat_completions(Visit& visit);
boost::asio::awaitable<void> completions(Visit& visit);
boost::asio::awaitable<void> embeddings(Visit& visit);

boost::asio::awaitable<void> list_models(Visit& visit);
boost::asio::awaitable<void> show_model(Visit& visit);

/// The project's money and its usage so far. An admin names the project with ?project=.
boost::asio::awaitable<void> show_balance(Visit& visit);

/// Makes a member of whoever holds an invitation's token.
boost::asio::awaitable<void> accept_invite(Visit& visit);

/// Gives a member an administrator's key of some hours for their password.
boost::asio::awaitable<void> login(Visit& visit);

boost::asio::awaitable<void> show_health(Visit& visit);
boost::asio::awaitable<void> show_readiness(Visit& visit);
boost::asio::awaitable<void> show_metrics(Visit& visit);
boost::asio::awaitable<void> show_page(Visit& visit);

}  // namespace feilun::gateway
