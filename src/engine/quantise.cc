#include "engine/quantise.h"

#include <utility>

namespace feilun::engine {

model::WeightConversion conversion_of(Quantise quantise) {
  switch (quantise) {
    case Quantise::kAsStored:
      return std::nullopt;
    case Quantise::kQ8_0:
      return compute::DType::kQ8_0;
    case Quantise::kQ4_0:
      return compute::DType::kQ4_0;
    case Quantise::kW8A8:
      return compute::DType::kW8;
    case Quantise::kF32:
      return compute::DType::kF32;
  }
  std::unreachable();
}

}  // namespace feilun::engine
