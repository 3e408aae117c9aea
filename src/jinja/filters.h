#pragma once

#include <string_view>
#include <vector>

#include "jinja/builtin.h"

namespace feilun::jinja {

/// The filter of that name, as `value | name` calls it; null when there is none.
const Builtin* find_filter(std::string_view name);

/// The tables behind it, a file for each.
const std::vector<Builtin>& text_filters();
const std::vector<Builtin>& number_filters();
const std::vector<Builtin>& sequence_filters();
const std::vector<Builtin>& selection_filters();

}  // namespace feilun::jinja
