#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace feilun::jinja {

/// A string that remembers who wrote each of its bytes. Text of the template is trusted, text of the input
/// is not, and every operation keeps that per piece, because a prompt's control tokens may only come from
/// the template. Always valid UTF-8; positions are bytes.
class Text {
 public:
  /// Bytes from the end of the run before up to `end` have one origin. Neighbours differ in `trusted`.
  struct Run {
    size_t end = 0;
    bool trusted = false;
  };

  Text() = default;
  Text(std::string_view bytes, bool trusted) { append(bytes, trusted); }

  std::string_view bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  /// Bytes that it takes besides itself.
  size_t memory() const { return bytes_.size() + runs_.size() * sizeof(Run); }
  bool empty() const { return bytes_.empty(); }
  std::span<const Run> runs() const { return runs_; }
  /// True when the template wrote all of it; so is the empty text.
  bool trusted() const { return runs_.empty() || (runs_.size() == 1 && runs_[0].trusted); }
  bool trusted_at(size_t position) const { return runs_[run_at(position)].trusted; }

  void append(std::string_view bytes, bool trusted);
  void append(const Text& other) { append(other, 0, other.size()); }
  /// Bytes [begin, end) of another text.
  void append(const Text& other, size_t begin, size_t end);
  Text slice(size_t begin, size_t end) const;

  friend bool operator==(const Text& a, const Text& b) { return a.bytes_ == b.bytes_; }

 private:
  size_t run_at(size_t position) const;

  std::string bytes_;
  std::vector<Run> runs_;
};

}  // namespace feilun::jinja
