#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace feilun::net {

/// Header fields in the order they came; names compare without case.
class Headers {
 public:
  struct Field {
    std::string name;
    std::string value;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  /// The first field of that name; empty when there is none.
  std::string_view find(std::string_view name) const;
  bool contains(std::string_view name) const;
  int count(std::string_view name) const;
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({std::string(name), std::string(value)});
  }
  /// True when the comma-separated list under `name` holds `token`, without case.
  bool lists(std::string_view name, std::string_view token) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  bool empty() const { return fields_.empty(); }

 private:
  std::vector<Field> fields_;
};

/// A whole request. `target` is as it was sent; path() stops at the '?'.
struct Request {
  std::string method;
  std::string target;
  Headers headers;
  std::string body;
  std::string client_address;  ///< the IP address at the connection's other end; empty for a Unix socket

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  /// The percent-decoded value of a query parameter; nullopt when absent or wrongly encoded.
  std::optional<std::string> query(std::string_view name) const;
};

/// A whole reply. content-length, date and connection are added when it is written.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

/// "Not Found" for 404; empty for an unknown status.
std::string_view reason_phrase(int status);

bool equal_without_case(std::string_view a, std::string_view b);

/// Without the spaces and tabs around it.
std::string_view trimmed(std::string_view text);

/// The part before `separator`, or all there is without one; it is taken off `rest`.
std::string_view next_part(std::string_view& rest, char separator);

/// '%41' → 'A'; nullopt when a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace feilun::net
