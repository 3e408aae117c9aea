#pragma once

#include <string_view>
#include <vector>

#include "jinja/value.h"

namespace feilun::jinja {

/// The variables of one block, found from the inside out. Names point into the template or the heap.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<std::string_view, Value>> variables;
  bool captured = false;  ///< a macro outlives the block and still looks here

  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
      for (const auto& [key, value] : scope->variables) {
        if (key == name) return &value;
      }
    }
    return nullptr;
  }
  void set(std::string_view name, const Value& value) {
    for (auto& [key, old] : variables) {
      if (key == name) {
        old = value;
        return;
      }
    }
    variables.emplace_back(name, value);
  }
};

}  // namespace feilun::jinja
