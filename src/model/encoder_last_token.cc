#include "model/encoder_last_token.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "compute/isa.h"

namespace feilun::model {
namespace {

/// Tokens that go through the decoder at once.
constexpr size_t kChunk = 256;

}  // namespace

Result<std::unique_ptr<Encoder>> LastTokenEncoder::load(const ModelFile& file,
                                                        const EncoderOptions& options) {
  if (file.pooling != Pooling::kLast) {
    return fail(ErrorCode::kUnsupported, "a {} gives the vector of its last token here, not the {}",
                file.shape.architecture, pooling_name(file.pooling));
  }
  const compute::Kernels& kernels = compute::kernels_for(TRY(compute::choose_isa()));
  auto cache = TRY(
      compute::PagedKv::allocate(Decoder::kv_shape(file.shape, options.kv_bf16), encoder_blocks(options)));
  std::unique_ptr<LastTokenEncoder> encoder(new LastTokenEncoder(file, options, std::move(cache)));
  DecoderDesign design = TRY(decoder_design(file));
  encoder->decoder_ =
      TRY(Decoder::load(file, std::move(design), options.conversion, encoder->pool_, kernels));
  return encoder;
}

int64_t LastTokenEncoder::pass_bytes(const Hyperparameters& shape, const EncoderOptions& options) {
  return encoder_blocks(options) * Decoder::kv_shape(shape, options.kv_bf16).block_bytes();
}

LastTokenEncoder::LastTokenEncoder(const ModelFile& file, const EncoderOptions& options,
                                   compute::PagedKv cache)
    : hidden_(file.shape.hidden), pool_(options.threads), cache_(std::move(cache)) {
  for (int32_t block = 0; block < cache_.blocks(); ++block) block_numbers_.push_back(block);
}

EncodedPass LastTokenEncoder::run(std::span<const std::span<const TokenId>> inputs, const GoOn& go_on) {
  input_ = read_ = block_ = 0;
  vectors_.clear();
  int64_t tokens = 0;
  while (input_ < inputs.size()) {
    if (!go_on()) return {.tokens = tokens};
    const std::vector<DecoderSlice> slices = next_slices(inputs);
    const std::span<const float> states = decoder_->states(slices, cache_);
    vectors_.insert(vectors_.end(), states.begin(), states.end());
    for (const DecoderSlice& slice : slices) tokens += static_cast<int64_t>(slice.tokens.size());
  }
  const auto width = static_cast<size_t>(hidden_);
  for (size_t i = 0; i < inputs.size(); ++i) scale_to_unit_length({vectors_.data() + i * width, width});
  return {.vectors = vectors_, .tokens = tokens};
}

std::vector<DecoderSlice> LastTokenEncoder::next_slices(std::span<const std::span<const TokenId>> inputs) {
  std::vector<DecoderSlice> slices;
  for (size_t room = kChunk; room > 0 && input_ < inputs.size();) {
    const std::span<const TokenId> tokens = inputs[input_];
    const size_t blocks = (tokens.size() + compute::kKvBlockTokens - 1) / compute::kKvBlockTokens;
    CHECK(!tokens.empty() && block_ + blocks <= block_numbers_.size());
    const size_t count = std::min(room, tokens.size() - read_);
    slices.push_back({.tokens = tokens.subspan(read_, count),
                      .position = static_cast<int64_t>(read_),
                      .blocks = std::span(block_numbers_).subspan(block_, blocks),
                      .logits = read_ + count == tokens.size() ? 1 : 0});
    room -= count;
    read_ += count;
    if (read_ < tokens.size()) break;
    read_ = 0;
    block_ += blocks;
    ++input_;
  }
  return slices;
}

}  // namespace feilun::model
