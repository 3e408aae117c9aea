#pragma once

#include <boost/json.hpp>

#include "ledger/books.h"

// The objects of the admin API that more than one of its families shows.

namespace feilun::gateway {

boost::json::object project_key_json(const ledger::Key& key, boost::json::object owner);
/// With its owner; without its secret.
Result<boost::json::object> admin_key_json(ledger::State& state, const ledger::Key& key);
boost::json::object user_json(const ledger::Member& member);
boost::json::object service_account_json(const ledger::ServiceAccount& account);
boost::json::object organisation_json(const ledger::Organisation& organisation);
/// {"type","user"|"service_account"}; empty where the key is nobody's.
Result<boost::json::object> owner_json(ledger::State& state, const ledger::Key& key,
                                       std::string_view organisation);

}  // namespace feilun::gateway
