#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gateway/meter.h"

namespace feilun::gateway {

/// How vectors are written.
struct VectorFormat {
  int width = 0;       ///< of a vector as the model gives it
  int dimensions = 0;  ///< of it written: the first so many, brought to a length of one again if fewer
  bool base64 = false;
};

/// The vector as a JSON value: an array of numbers, each the shortest that reads as the same float, or its
/// little-endian bytes in base64.
void append_vector(std::string& out, std::span<const float> vector, bool base64);

/// Bytes at most of a reply with so many vectors, and of what it takes in memory until it is sent: vectors,
/// text, and the text once more as it goes to the socket.
size_t embedding_reply_bytes(size_t vectors, VectorFormat format);
size_t embedding_reply_memory(size_t vectors, VectorFormat format);

/// The whole reply; `vectors` are `format.width` floats for each input, in order.
std::string embedding_reply(std::string_view model, std::span<const float> vectors, VectorFormat format,
                            const Ending& ending);

}  // namespace feilun::gateway
