#pragma once

#include <cstdint>

#include "model/weight_packing.h"

namespace feilun::engine {

/// What stored weights become while they are loaded (docs/formats/weights.md).
enum class Quantise : uint8_t { kAsStored, kQ8_0, kQ4_0, kW8A8, kF32 };

model::WeightConversion conversion_of(Quantise quantise);

}  // namespace feilun::engine
