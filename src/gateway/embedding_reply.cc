#include "gateway/embedding_reply.h"

#include <bit>
#include <cstring>

#include "engine/embedding_engine.h"
#include "gateway/json_text.h"
#include "gateway/reply_parts.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;

static_assert(std::endian::native == std::endian::little, "floats are sent as they lie in memory");

void append_base64(std::string& out, std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? static_cast<uint32_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out.push_back(k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=');
  }
}

}  // namespace

void append_vector(std::string& out, std::span<const float> vector, bool base64) {
  if (base64) {
    out.push_back('"');
    append_base64(out, std::as_bytes(vector));
    out.push_back('"');
    return;
  }
  out.push_back('[');
  for (const float x : vector) {
    if (out.back() != '[') out.push_back(',');
    fmt::format_to(std::back_inserter(out), "{}", x);
  }
  out.push_back(']');
}

size_t embedding_reply_bytes(size_t vectors, VectorFormat format) {
  constexpr size_t kFrame = 1024;      // around all vectors
  constexpr size_t kVectorFrame = 96;  // around one
  constexpr size_t kNumber = std::string_view("-1.1754944e-38,").size();
  const auto dimensions = static_cast<size_t>(format.dimensions);
  const size_t digits = format.base64 ? dimensions * sizeof(float) / 3 * 4 + 4 : dimensions * kNumber;
  return kFrame + vectors * (kVectorFrame + digits);
}

size_t embedding_reply_memory(size_t vectors, VectorFormat format) {
  return vectors * static_cast<size_t>(format.width) * sizeof(float) +
         2 * embedding_reply_bytes(vectors, format);
}

std::string embedding_reply(std::string_view model, std::span<const float> vectors, VectorFormat format,
                            const Ending& ending) {
  const auto width = static_cast<size_t>(format.width);
  const auto dimensions = static_cast<size_t>(format.dimensions);
  std::string out;
  out.reserve(embedding_reply_bytes(vectors.size() / width, format));
  out += "{\"object\":\"list\",\"data\":[";
  std::vector<float> cut(dimensions);
  for (size_t i = 0; i * width < vectors.size(); ++i) {
    std::span<const float> vector = vectors.subspan(i * width, width);
    if (dimensions < width) {
      engine::shorten(vector, cut);
      vector = cut;
    }
    out += fmt::format("{}{{\"object\":\"embedding\",\"index\":{},\"embedding\":", i == 0 ? "" : ",", i);
    append_vector(out, vector, format.base64);
    out.push_back('}');
  }
  out += "],\"model\":";
  append_json_string(out, model);
  const json::object usage{{"prompt_tokens", ending.usage.input()}, {"total_tokens", ending.usage.input()}};
  out += fmt::format(",\"usage\":{},\"feilun\":{}}}", json::serialize(usage),
                     json::serialize(charge_json(ending)));
  return out;
}

}  // namespace feilun::gateway
