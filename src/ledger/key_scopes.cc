#include "ledger/key_scopes.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "ledger/checked_text.h"

namespace feilun::ledger {
namespace {

constexpr size_t kEntriesMax = 64;
constexpr int kMappedPrefix = 96;  ///< of ::ffff:0:0, where the IPv4 addresses are

using Address = std::array<uint8_t, 16>;

struct ParsedAddress {
  Address bytes{};
  bool is_v4 = false;
};

std::optional<ParsedAddress> parse_address(std::string_view text) {
  char name[INET6_ADDRSTRLEN + 1] = {};
  if (text.empty() || text.size() >= sizeof name) return std::nullopt;
  std::memcpy(name, text.data(), text.size());
  ParsedAddress parsed;
  if (inet_pton(AF_INET6, name, parsed.bytes.data()) == 1) return parsed;
  parsed.is_v4 = true;
  parsed.bytes[10] = parsed.bytes[11] = 0xff;
  if (inet_pton(AF_INET, name, parsed.bytes.data() + 12) == 1) return parsed;
  return std::nullopt;
}

bool same_prefix(const Address& a, const Address& b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff00 >> (bits % 8));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

bool covers(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](std::string_view pattern) {
    if (!pattern.ends_with('*')) return pattern == name;
    return name.starts_with(pattern.substr(0, pattern.size() - 1));
  });
}

Result<> check_patterns(std::string_view what, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    TRY(check_text(what, pattern, false));
    if (pattern.find('*') < pattern.size() - 1) {
      return fail(ErrorCode::kInvalidArgument, "the {} '{}' has a '*' before its end", what, pattern);
    }
  }
  return {};
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  Network network;
  network.text_ = text;
  bool good = address.has_value();
  if (good && slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), network.prefix_);
    good = error == std::errc() && end == digits.data() + digits.size() && network.prefix_ >= 0 &&
           network.prefix_ <= (address->is_v4 ? 32 : 128);
    if (address->is_v4) network.prefix_ += kMappedPrefix;
  }
  if (!good) {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is no range of addresses: write 192.0.2.0/24 or 2001:db8::/32", text);
  }
  network.bytes_ = address->bytes;
  for (int bit = network.prefix_; bit < 128; ++bit) {
    if ((address->bytes[static_cast<size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0) {
      return fail(ErrorCode::kInvalidArgument, "'{}' has address bits beyond its prefix", text);
    }
  }
  return network;
}

bool Network::contains(std::string_view address) const {
  const auto parsed = parse_address(address);
  return parsed && same_prefix(parsed->bytes, bytes_, prefix_);
}

Result<> KeyScope::check() const {
  if (std::max({models.size(), endpoints.size(), networks.size()}) > kEntriesMax) {
    return fail(ErrorCode::kInvalidArgument, "a key's scope has at most {} entries of a kind", kEntriesMax);
  }
  TRY(check_patterns("model", models));
  TRY(check_patterns("endpoint", endpoints));
  for (const std::string& endpoint : endpoints) {
    if (!endpoint.starts_with('/')) {
      return fail(ErrorCode::kInvalidArgument, "the endpoint '{}' is no path: write /v1/chat/completions",
                  endpoint);
    }
  }
  return {};
}

bool KeyScope::allows_model(std::string_view model) const {
  return models.empty() || covers(models, model);
}

Result<> KeyScope::check_model(std::string_view model) const {
  if (allows_model(model)) return {};
  return std::unexpected(Error{ErrorCode::kPermissionDenied,
                               fmt::format("this key may not use the model '{}'", model), "model"});
}

Result<> KeyScope::check_endpoint(std::string_view path) const {
  if (endpoints.empty() || covers(endpoints, path)) return {};
  return fail(ErrorCode::kPermissionDenied, "this key may not ask {}", path);
}

Result<> KeyScope::check_address(std::string_view address) const {
  if (networks.empty()) return {};
  const auto holds = [&](const Network& network) { return network.contains(address); };
  if (std::ranges::any_of(networks, holds)) return {};
  return fail(ErrorCode::kPermissionDenied, "this key may not be used from {}",
              address.empty() ? "an unknown address" : address);
}

Result<std::vector<Network>> parse_networks(const std::vector<std::string>& texts) {
  std::vector<Network> networks;
  for (const std::string& text : texts) networks.push_back(TRY(Network::parse(text)));
  return networks;
}

}  // namespace feilun::ledger
