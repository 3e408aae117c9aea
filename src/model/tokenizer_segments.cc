#include "model/tokenizer_segments.h"

#include <algorithm>

namespace feilun::model {

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

void AddedTokens::add(std::string_view text, TokenId id, bool is_control) {
  if (text.empty() || text.size() > kBytesMax) return;
  uint32_t node = 0;
  for (const char c : text) {
    const uint64_t edge = static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(c);
    const auto [entry, is_new] = edges_.try_emplace(edge, static_cast<uint32_t>(nodes_.size()));
    if (is_new) nodes_.emplace_back();
    node = entry->second;
  }
  if (nodes_[node].id < 0) nodes_[node] = {id, is_control};
  starts_[static_cast<unsigned char>(text[0])] = true;
}

AddedTokens::Found AddedTokens::longest_at(std::string_view text, size_t at, size_t trusted_end) const {
  Found best;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto edge = edges_.find(static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    const bool allowed = !nodes_[node].is_control || i < trusted_end;
    if (nodes_[node].id >= 0 && allowed) best = {nodes_[node].id, i + 1 - at};
  }
  return best;
}

std::vector<PromptSegment> AddedTokens::split(JoinedPrompt& prompt) const {
  std::vector<PromptSegment> segments;
  const std::string_view text = prompt.text();
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    Found found;
    if (starts_[static_cast<unsigned char>(text[at])]) found = longest_at(text, at, prompt.trusted_until(at));
    if (found.id < 0) {
      ++at;
      continue;
    }
    if (at > done) segments.push_back({-1, text.substr(done, at - done)});
    segments.push_back({found.id, text.substr(at, found.size)});
    at += found.size;
    done = at;
  }
  if (done < text.size()) segments.push_back({-1, text.substr(done)});
  return segments;
}

}  // namespace feilun::model
