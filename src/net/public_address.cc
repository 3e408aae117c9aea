#include "net/public_address.h"

#include <algorithm>
#include <array>

namespace feilun::net {
namespace {

namespace ip = boost::asio::ip;

struct Range4 {
  uint32_t first;
  int bits;  ///< of the prefix
};

constexpr uint32_t dotted(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

/// What IANA's registry of special-purpose addresses does not call globally reachable, and multicast.
constexpr std::array kSpecial = {
    Range4{dotted(0, 0, 0, 0), 8},      Range4{dotted(10, 0, 0, 0), 8},
    Range4{dotted(100, 64, 0, 0), 10},  Range4{dotted(127, 0, 0, 0), 8},
    Range4{dotted(169, 254, 0, 0), 16}, Range4{dotted(172, 16, 0, 0), 12},
    Range4{dotted(192, 0, 0, 0), 24},   Range4{dotted(192, 0, 2, 0), 24},
    Range4{dotted(192, 88, 99, 0), 24}, Range4{dotted(192, 168, 0, 0), 16},
    Range4{dotted(198, 18, 0, 0), 15},  Range4{dotted(198, 51, 100, 0), 24},
    Range4{dotted(203, 0, 113, 0), 24}, Range4{dotted(224, 0, 0, 0), 4},
    Range4{dotted(240, 0, 0, 0), 4},
};

bool is_public_v4(uint32_t address) {
  return std::ranges::none_of(
      kSpecial, [&](const Range4& range) { return (address ^ range.first) >> (32 - range.bits) == 0; });
}

bool is_public_v6(const ip::address_v6::bytes_type& bytes) {
  const uint32_t head = dotted(bytes[0], bytes[1], bytes[2], bytes[3]);
  const bool global = bytes[0] >> 5 == 1;             // 2000::/3: all that is given out
  const bool special = head >> 9 == 0x20010000U >> 9  // 2001::/23: Teredo and its like
                       || head == 0x20010db8U         // documentation
                       || head >> 16 == 0x2002        // 6to4, which carries an IPv4 address
                       || head >> 12 == 0x3fff0;      // documentation
  return global && !special;
}

}  // namespace

bool is_public(const ip::address& address) {
  if (address.is_v4()) return is_public_v4(address.to_v4().to_uint());
  const ip::address_v6 six = address.to_v6();
  if (six.is_v4_mapped()) return is_public_v4(ip::make_address_v4(ip::v4_mapped, six).to_uint());
  return is_public_v6(six.to_bytes());
}

}  // namespace feilun::net
