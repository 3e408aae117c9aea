#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model_file.h"

namespace feilun::model {

/// Reads the head of a safetensors file: u64 length, a JSON object of tensors, then the data. Names stay as
/// the file has them; dims are turned round so that dims[0] is the fastest. The views point into `file`, may
/// lie at any address, and overlap nowhere. Buffers named "…position_ids" are left out. kCorrupt with the
/// reason, or kUnsupported for a type that is not F32, F16 or BF16.
Result<std::vector<TensorView>> parse_safetensors(std::span<const std::byte> file);

}  // namespace feilun::model
