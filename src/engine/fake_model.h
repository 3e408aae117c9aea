#pragma once

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "engine/noise.h"
#include "model/model_file.h"

/// A model small enough to reason about, for tests. Its K/V are the tokens themselves: a forward pass writes
/// them into the blocks and computes logits from what it reads back through the block table. A block that two
/// sequences share, a position computed twice differently or not at all, changes every later logit.
namespace feilun::engine {

class FakeTokenizer final : public model::Tokenizer {
 public:
  static constexpr int kVocabulary = 48;
  static constexpr model::TokenId kEnd = 0;
  static constexpr model::TokenId kBegin = 1;

  std::vector<model::TokenId> encode(std::span<const model::PromptFragment> fragments,
                                     size_t) const override {
    std::vector<model::TokenId> tokens;
    for (const model::PromptFragment& fragment : fragments) {
      if (fragment.trusted && fragment.text == "<s>") {
        tokens.push_back(kBegin);
        continue;
      }
      for (const char letter : fragment.text) tokens.push_back(2 + static_cast<unsigned char>(letter) % 46);
    }
    return tokens;
  }
  std::string_view bytes(model::TokenId id) const override {
    return is_control(id) ? std::string_view() : kPieces[static_cast<size_t>(id) % kPieces.size()];
  }
  std::string_view text(model::TokenId id) const override {
    return id == kEnd ? "</s>" : id == kBegin ? "<s>" : bytes(id);
  }
  bool is_control(model::TokenId id) const override { return id <= kBegin; }
  int vocabulary_size() const override { return kVocabulary; }
  model::TokenId bos() const override { return kBegin; }
  bool strips_leading_space() const override { return true; }

 private:
  /// Whole words, pieces with spaces, and the bytes of 飞 and 😀 each cut in two.
  static constexpr std::array<std::string_view, 12> kPieces = {
      " the", "a", "b", "ab", "\n", " wheel", "\xE9\xA3", "\x9E", "\xF0\x9F", "\x98\x80", "turn", "s."};
};

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(int blocks) : kv_(static_cast<size_t>(blocks) * kBlockTokens, -1), blocks_(blocks) {}

  int vocabulary_size() const override { return FakeTokenizer::kVocabulary; }
  int block_count() const override { return blocks_; }
  std::span<const float> forward(std::span<const SequenceSlice> slices) override {
    logits_.clear();
    for (const SequenceSlice& slice : slices) {
      for (size_t i = 0; i < slice.tokens.size(); ++i) {
        cell(slice, slice.position + static_cast<int64_t>(i)) = slice.tokens[i];
      }
    }
    for (const SequenceSlice& slice : slices) {
      const int64_t end = slice.position + static_cast<int64_t>(slice.tokens.size());
      for (int64_t i = slice.logits; i > 0; --i) compute(slice, end - i + 1);
    }
    return logits_;
  }

 private:
  model::TokenId& cell(const SequenceSlice& slice, int64_t position) {
    const int32_t block = slice.blocks[static_cast<size_t>(position / kBlockTokens)];
    return kv_.at(static_cast<size_t>(block * kBlockTokens + position % kBlockTokens));
  }
  void compute(const SequenceSlice& slice, int64_t length) {
    uint64_t state = 0;
    for (int64_t position = 0; position < length; ++position) {
      state = state * 6364136223846793005 + static_cast<uint64_t>(cell(slice, position)) + 1;
    }
    for (int id = 0; id < vocabulary_size(); ++id) {
      const double uniform = noise(state, 0, static_cast<uint64_t>(id));
      logits_.push_back(static_cast<float>(uniform * 6 - (id == FakeTokenizer::kEnd ? 2 : 0)));
    }
  }

  std::vector<model::TokenId> kv_;
  int blocks_;
  std::vector<float> logits_;
};

/// One whose logits are no numbers.
class BrokenBackend final : public Backend {
 public:
  int vocabulary_size() const override { return FakeTokenizer::kVocabulary; }
  int block_count() const override { return 16; }
  std::span<const float> forward(std::span<const SequenceSlice>) override { return logits_; }

 private:
  std::vector<float> logits_ = std::vector<float>(FakeTokenizer::kVocabulary, std::nanf(""));
};

/// The matching file: a window of 256 tokens, no weights.
inline model::ModelFile fake_model_file() {
  model::ModelFile file;
  file.name = "fake";
  file.shape.context = 256;
  file.shape.vocabulary = FakeTokenizer::kVocabulary;
  file.end_tokens = {FakeTokenizer::kEnd};
  file.tokenizer = std::make_shared<FakeTokenizer>();
  return file;
}

}  // namespace feilun::engine
