#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/mapped_file.h"
#include "model/model_file.h"
#include "model/tokenizer_spec.h"

// What every reader of model files shares: the tensors it found, the tokenizer as its files describe it,
// and the checks that follow.

namespace feilun::model {

/// A model as read, before its tokenizer and chat template are built. `file.tokenizer` and
/// `file.chat_template` are null.
struct ModelParts {
  ModelFile file;
  TokenizerSpec tokenizer;
};

/// Tensors in mapped files (and copies, where a file puts numbers at odd addresses).
class MappedWeights final : public WeightSource {
 public:
  /// Keeps the files alive, and `copies`, the tensors that are not in them as they should be. kCorrupt when
  /// two tensors have one name.
  static Result<std::shared_ptr<const MappedWeights>> make(
      std::vector<TensorView> tensors, std::vector<std::shared_ptr<const MappedFile>> files,
      std::vector<std::unique_ptr<std::byte[]>> copies = {});

  const TensorView* find(std::string_view name) const override;
  std::span<const TensorView> tensors() const override { return tensors_; }
  void release(const TensorView& tensor) const override;

 private:
  std::vector<TensorView> tensors_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;
  std::unordered_map<std::string_view, size_t> by_name_;
};

/// A tensor that an architecture computes with. `columns` is dims[0]; rows = 1 and rank 1 for a vector.
struct ExpectedTensor {
  std::string name;
  int rank = 2;
  int64_t columns = 0;
  int64_t rows = 1;
};

/// All tensors of a decoder of this shape, in the order of their use.
std::vector<ExpectedTensor> expected_tensors(const Hyperparameters& shape);

/// kCorrupt when a number is missing, absurd or does not fit the others.
Result<> check_shape(const Hyperparameters& shape);

/// kCorrupt when a default lies outside what a sampler can use.
Result<> check_sampling(const SamplingDefaults& sampling);

/// Every expected tensor is there, of the right shape and a readable type, and no tensor is left over that
/// the architecture would have to compute with.
Result<> check_tensors(const Hyperparameters& shape, const WeightSource& weights);

/// Builds tokenizer and chat template and makes all checks.
Result<ModelFile> finish_model(ModelParts parts);

/// Reads without finishing: what conversions and inspection start from.
Result<ModelParts> read_model_parts(const std::filesystem::path& path);

}  // namespace feilun::model
