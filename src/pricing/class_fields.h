#pragma once

#include <array>

#include "pricing/price_sheet.h"

namespace feilun::pricing {

/// A token class: what sheets and journal call its price, and where the structs keep it.
struct ClassField {
  const char* name;
  std::optional<Decimal> ClassPrices::* price;
  Money UnitPrices::* unit;
};

inline constexpr std::array<ClassField, 5> kClassFields = {{
    {"input", &ClassPrices::input, &UnitPrices::input_fresh},
    {"cache_read", &ClassPrices::cache_read, &UnitPrices::cache_read},
    {"cache_write", &ClassPrices::cache_write, &UnitPrices::cache_write},
    {"output", &ClassPrices::output, &UnitPrices::output},
    {"reasoning", &ClassPrices::reasoning, &UnitPrices::reasoning},
}};

}  // namespace feilun::pricing
