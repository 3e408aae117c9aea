#include "jinja/filters.h"

#include <unordered_map>

namespace feilun::jinja {

const Builtin* find_filter(std::string_view name) {
  static const auto kFilters = [] {
    std::unordered_map<std::string_view, const Builtin*> filters;
    for (const auto* table :
         {&text_filters(), &number_filters(), &sequence_filters(), &selection_filters()}) {
      for (const Builtin& filter : *table) filters.emplace(filter.name, &filter);
    }
    return filters;
  }();
  const auto found = kFilters.find(name);
  return found == kFilters.end() ? nullptr : found->second;
}

}  // namespace feilun::jinja
