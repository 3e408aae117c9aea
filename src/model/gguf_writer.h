#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_file.h"

namespace feilun::model {

/// Called while a file is written: bytes of tensor data done, and of all.
using WriteProgress = std::function<void(int64_t done, int64_t total)>;

/// Writes a GGUF v3 file: values first, then tensors, in the order they were added.
class GgufWriter {
 public:
  /// Writes rows [first, first + rows) in the tensor's type into `out`.
  using FillRows = std::function<void(int64_t first, int64_t rows, std::span<std::byte> out)>;

  void set_string(std::string_view key, std::string_view value);
  void set_u32(std::string_view key, uint32_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_strings(std::string_view key, std::span<const std::string> values);
  void set_i32s(std::string_view key, std::span<const int32_t> values);
  void set_f32s(std::string_view key, std::span<const float> values);

  /// `shape` gives name, type, rank and dims; its data is not looked at. A row is dims[0] elements, whole
  /// blocks.
  void add_tensor(const TensorView& shape, FillRows fill);

  /// Writes beside `path` and then renames: a reader sees the old file or the whole new one. kIo.
  Result<> write(const std::filesystem::path& path, const WriteProgress& progress) const;

 private:
  struct Tensor {
    TensorView shape;
    FillRows fill;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  void begin_value(std::string_view key, uint32_t type);
  std::string head() const;

  std::string values_;
  uint64_t value_count_ = 0;
  std::vector<Tensor> tensors_;
  uint64_t data_bytes_ = 0;
};

}  // namespace feilun::model
