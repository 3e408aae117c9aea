#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace feilun::ledger {

/// A range of IP addresses in CIDR notation. An IPv4 address is the IPv6 address that maps it
/// (::ffff:a.b.c.d), so that one kind of comparison serves both and a client seen through a dual-stack socket
/// is who it is.
class Network {
 public:
  /// "192.0.2.0/24", "2001:db8::/32", or one address. kInvalidArgument, also for bits beyond the prefix.
  static Result<Network> parse(std::string_view text);
  /// False for what is no address, such as the empty name of a Unix socket's other end.
  bool contains(std::string_view address) const;
  const std::string& text() const { return text_; }

  friend bool operator==(const Network&, const Network&) = default;

 private:
  std::string text_;
  std::array<uint8_t, 16> bytes_{};
  int prefix_ = 128;
};

/// What a key may be used for. An empty list allows everything of its kind.
struct KeyScope {
  std::vector<std::string> models;     ///< names; one that ends in '*' stands for all that begin so
  std::vector<std::string> endpoints;  ///< paths, such as "/v1/embeddings" or "/v1/models*"
  std::vector<Network> networks;

  bool empty() const { return models.empty() && endpoints.empty() && networks.empty(); }
  friend bool operator==(const KeyScope&, const KeyScope&) = default;

  /// kInvalidArgument for more than 64 entries of a kind, or entries that no name could match.
  Result<> check() const;
  // kPermissionDenied, with one sentence for the key's user.
  Result<> check_model(std::string_view model) const;
  Result<> check_endpoint(std::string_view path) const;
  Result<> check_address(std::string_view address) const;
  bool allows_model(std::string_view model) const;
};

Result<std::vector<Network>> parse_networks(const std::vector<std::string>& texts);

}  // namespace feilun::ledger
