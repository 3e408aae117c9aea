#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace feilun::model {

/// How the vectors of a text's tokens become the vector of the text.
enum class Pooling : uint8_t {
  kNone,   ///< not at all: the model generates text
  kMean,   ///< their mean
  kFirst,  ///< that of the first token, [CLS]
  kLast,   ///< that of the last token, which alone has seen the whole text where attention looks back
};

/// "mean", "first token", "last token"; "none".
std::string_view pooling_name(Pooling pooling);

/// Rows of `out.size()` floats, `stride` apart, one a token; at least one. kNone is a bug.
void pool_rows(Pooling pooling, const float* rows, int64_t stride, int64_t count, std::span<float> out);

/// Scales to a length of one, so that the dot product of two vectors is the cosine of their angle. False for
/// a vector that has no direction: all zeros, or not all finite. It is left as it is.
bool scale_to_unit_length(std::span<float> vector);

}  // namespace feilun::model
