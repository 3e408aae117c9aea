#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer_spec.h"

namespace feilun::model {

/// Fragments joined into one text that remembers which bytes were trusted.
class JoinedPrompt {
 public:
  explicit JoinedPrompt(std::span<const PromptFragment> fragments);
  std::string_view text() const { return text_; }
  /// The end of the trusted run that byte `at` lies in; `at` when it is not trusted. Asked in rising order.
  size_t trusted_until(size_t at);

 private:
  struct Run {
    size_t begin = 0;
    size_t end = 0;
  };
  std::string text_;
  std::vector<Run> trusted_;
  size_t next_ = 0;
};

/// A token found whole in the text, or (token = -1) the text between two of them.
struct PromptSegment {
  TokenId token = -1;
  std::string_view text;
};

/// Finds added tokens: leftmost first, at one place the longest.
class AddedTokens {
 public:
  /// Longer ones are never found.
  static constexpr size_t kBytesMax = 256;
  /// `trusted_only`: found only where the whole of its text is trusted.
  void add(std::string_view text, TokenId id, bool trusted_only, AddedTokenRule rule = {});
  bool empty() const { return nodes_.size() == 1; }
  /// The segments point into `prompt`'s text; those between tokens are never empty.
  std::vector<PromptSegment> split(JoinedPrompt& prompt) const;
  /// The same for a text of which nothing is trusted.
  std::vector<PromptSegment> split(std::string_view text) const;

 private:
  struct Node {
    TokenId id = -1;
    bool trusted_only = false;
    AddedTokenRule rule;
  };
  struct Found {
    const Node* node = nullptr;
    size_t size = 0;
  };
  std::vector<PromptSegment> split(std::string_view text, JoinedPrompt* trust) const;
  Found longest_at(std::string_view text, size_t at, size_t trusted_end) const;

  std::vector<Node> nodes_ = {Node()};
  std::unordered_map<uint64_t, uint32_t> edges_;  // node << 8 | byte → node
  std::array<bool, 256> starts_ = {};
};

}  // namespace feilun::model
