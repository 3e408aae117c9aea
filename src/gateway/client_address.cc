#include "gateway/client_address.h"

#include <algorithm>
#include <ranges>
#include <string_view>

namespace feilun::gateway {
namespace {

/// "[2001:db8::1]:443" and "192.0.2.1:443" without what is not the address.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  const size_t colon = text.find(':');
  const bool one_colon = colon != text.npos && text.find(':', colon + 1) == text.npos;
  return one_colon ? text.substr(0, colon) : text;
}

/// The addresses in the order in which the proxies wrote them.
std::vector<std::string_view> forwarded_for(const net::Headers& headers) {
  std::vector<std::string_view> addresses;
  for (const auto& field : headers) {
    if (!net::equal_without_case(field.name, "x-forwarded-for")) continue;
    for (const auto part : std::views::split(std::string_view(field.value), ',')) {
      addresses.push_back(without_port(net::trimmed(std::string_view(part.begin(), part.end()))));
    }
  }
  return addresses;
}

}  // namespace

std::string client_address(const net::Request& request, const std::vector<ledger::Network>& trusted) {
  const auto is_trusted = [&](std::string_view address) {
    return std::ranges::any_of(trusted, [&](const auto& network) { return network.contains(address); });
  };
  std::string_view client = request.client_address;
  if (!is_trusted(client)) return std::string(client);
  for (const std::string_view address : forwarded_for(request.headers) | std::views::reverse) {
    client = address;
    if (!is_trusted(address)) break;
  }
  return std::string(client);
}

}  // namespace feilun::gateway
