#include "engine/stop_matcher.h"

#include <algorithm>

#include "base/check.h"

namespace feilun::engine {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& stop : stops) {
    CHECK(!stop.empty());
    std::vector<size_t> border(stop.size(), 0);
    for (size_t i = 1, length = 0; i < stop.size(); ++i) {
      while (length > 0 && stop[i] != stop[length]) length = border[length - 1];
      if (stop[i] == stop[length]) ++length;
      border[i] = length;
    }
    automata_.push_back({.stop = std::move(stop), .border = std::move(border)});
  }
}

bool StopMatcher::Automaton::advance(char byte) {
  while (matched > 0 && stop[matched] != byte) matched = border[matched - 1];
  if (stop[matched] == byte) ++matched;
  return matched == stop.size();
}

std::optional<std::string> StopMatcher::append(std::string_view bytes, std::string& text) {
  if (automata_.empty()) {
    text += bytes;
    return std::nullopt;
  }
  for (const char byte : bytes) {
    held_.push_back(byte);
    const Automaton* complete = nullptr;
    for (Automaton& automaton : automata_) {
      if (!automaton.advance(byte)) continue;
      if (complete == nullptr || automaton.stop.size() > complete->stop.size()) complete = &automaton;
    }
    if (complete != nullptr) {
      text.append(held_, 0, held_.size() - complete->stop.size());
      held_.clear();
      return complete->stop;
    }
  }
  size_t needed = 0;
  for (const Automaton& automaton : automata_) needed = std::max(needed, automaton.matched);
  text.append(held_, 0, held_.size() - needed);
  held_.erase(0, held_.size() - needed);
  return std::nullopt;
}

void StopMatcher::finish(std::string& text) {
  text += held_;
  held_.clear();
}

}  // namespace feilun::engine
