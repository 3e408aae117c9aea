#include "model/tokenizer_segments.h"

#include <algorithm>

#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

/// Where the code point before `end` starts; `end` itself when no well-formed one ends there.
size_t rune_before(std::string_view text, size_t end) {
  for (size_t size = 1; size <= std::min<size_t>(4, end); ++size) {
    if (code_point_bytes(text.substr(end - size, size)) == size) return end - size;
  }
  return end;
}

bool word_ends_at(std::string_view text, size_t end) {
  const size_t begin = rune_before(text, end);
  return begin < end && is_word_rune(rune_of(text.substr(begin, end - begin)));
}

bool word_begins_at(std::string_view text, size_t begin) {
  const size_t size = code_point_bytes(text.substr(begin));
  return size > 0 && is_word_rune(rune_of(text.substr(begin, size)));
}

/// The start, not before `done`, of the white space that ends at `end`.
size_t space_before(std::string_view text, size_t done, size_t end) {
  while (end > done) {
    const size_t begin = rune_before(text, end);
    if (begin == end || begin < done || !is_white_space(rune_of(text.substr(begin, end - begin)))) break;
    end = begin;
  }
  return end;
}

size_t space_after(std::string_view text, size_t at) {
  for (size_t size = code_point_bytes(text.substr(at));
       size > 0 && is_white_space(rune_of(text.substr(at, size))); size = code_point_bytes(text.substr(at))) {
    at += size;
  }
  return at;
}

}  // namespace

JoinedPrompt::JoinedPrompt(std::span<const PromptFragment> fragments) {
  for (const PromptFragment& fragment : fragments) {
    const size_t begin = text_.size();
    text_ += fragment.text;
    if (!fragment.trusted || fragment.text.empty()) continue;
    if (!trusted_.empty() && trusted_.back().end == begin) {
      trusted_.back().end = text_.size();
    } else {
      trusted_.push_back({begin, text_.size()});
    }
  }
}

size_t JoinedPrompt::trusted_until(size_t at) {
  while (next_ < trusted_.size() && trusted_[next_].end <= at) ++next_;
  return next_ < trusted_.size() && trusted_[next_].begin <= at ? trusted_[next_].end : at;
}

void AddedTokens::add(std::string_view text, TokenId id, bool trusted_only, AddedTokenRule rule) {
  if (text.empty() || text.size() > kBytesMax) return;
  uint32_t node = 0;
  for (const char c : text) {
    const uint64_t edge = static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(c);
    const auto [entry, is_new] = edges_.try_emplace(edge, static_cast<uint32_t>(nodes_.size()));
    if (is_new) nodes_.emplace_back();
    node = entry->second;
  }
  if (nodes_[node].id < 0) nodes_[node] = {id, trusted_only, rule};
  starts_[static_cast<unsigned char>(text[0])] = true;
}

AddedTokens::Found AddedTokens::longest_at(std::string_view text, size_t at, size_t trusted_end) const {
  Found best;
  uint32_t place = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto edge = edges_.find(static_cast<uint64_t>(place) << 8 | static_cast<unsigned char>(text[i]));
    if (edge == edges_.end()) break;
    place = edge->second;
    const Node& node = nodes_[place];
    if (node.id >= 0 && (!node.trusted_only || i < trusted_end)) best = {&node, i + 1 - at};
  }
  return best;
}

std::vector<PromptSegment> AddedTokens::split(JoinedPrompt& prompt) const {
  return split(prompt.text(), &prompt);
}

std::vector<PromptSegment> AddedTokens::split(std::string_view text) const {
  return split(text, nullptr);
}

std::vector<PromptSegment> AddedTokens::split(std::string_view text, JoinedPrompt* trust) const {
  std::vector<PromptSegment> segments;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    Found found;
    if (starts_[static_cast<unsigned char>(text[at])]) {
      found = longest_at(text, at, trust == nullptr ? at : trust->trusted_until(at));
    }
    if (found.node == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at;
    size_t end = at + found.size;
    const AddedTokenRule& rule = found.node->rule;
    at = end;
    if (rule.whole_word && (word_ends_at(text, begin) || word_begins_at(text, end))) continue;
    if (rule.takes_space_before) begin = space_before(text, done, begin);
    if (rule.takes_space_after) at = end = space_after(text, end);
    if (begin > done) segments.push_back({-1, text.substr(done, begin - done)});
    segments.push_back({found.node->id, text.substr(begin, end - begin)});
    done = end;
  }
  if (done < text.size()) segments.push_back({-1, text.substr(done)});
  return segments;
}

}  // namespace feilun::model
