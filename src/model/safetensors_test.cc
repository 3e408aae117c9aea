#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>

#include "base/temporary_directory.h"
#include "base/testdata.h"
#include "compute/quantise.h"
#include "model/mapped_file.h"

// A real model's weights, written again in shards and in other types.

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using compute::DType;
using testing::HasSubstr;

const fs::path kModel = testdata_path("models/tinystories-656K");

/// A safetensors file of these tensors, whose data may be of any type.
std::string safetensors_of(const std::vector<TensorView>& tensors) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  std::string data;
  for (const TensorView& tensor : tensors) {
    std::string shape;
    for (int i = tensor.rank - 1; i >= 0; --i)
      shape += fmt::format("{}{}", shape.empty() ? "" : ",", tensor.dims[i]);
    header +=
        fmt::format(R"(,"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", tensor.name,
                    compute::dtype_name(tensor.type), shape, data.size(), data.size() + tensor.data.size());
    data.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  }
  header += "}";
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

/// The model's directory once more, with weights in two shards.
class Shards : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT(kModel);
    for (const char* name : {"config.json", "tokenizer.json"}) fs::copy_file(kModel / name, folder_ / name);
    file_ = MappedFile::open(kModel / "model.safetensors").value();
    tensors_ = parse_safetensors(file_->bytes()).value();
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  static std::string shard_name(size_t index) {
    return fmt::format("model-{:05}-of-00002.safetensors", index + 1);
  }
  /// Every other tensor goes into the second shard.
  void write_shards(const std::vector<TensorView>& tensors) {
    std::array<std::vector<TensorView>, 2> shards;
    std::string map;
    for (size_t i = 0; i < tensors.size(); ++i) {
      shards[i % 2].push_back(tensors[i]);
      map += fmt::format("{}\"{}\":\"{}\"", i == 0 ? "" : ",", tensors[i].name, shard_name(i % 2));
    }
    for (size_t i = 0; i < 2; ++i) write(shard_name(i), safetensors_of(shards[i]));
    write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  }
  std::string refusal() const {
    const auto model = open_model(folder_.path());
    return model ? "" : model.error().message;
  }

  TemporaryDirectory folder_;
  std::shared_ptr<const MappedFile> file_;
  std::vector<TensorView> tensors_;
};

TEST_F(Shards, HoldTheSameModel) {
  write_shards(tensors_);
  const auto whole = open_model(kModel);
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(whole && model) << model.error().message;
  ASSERT_EQ(model->weights->tensors().size(), whole->weights->tensors().size());
  for (const TensorView& expected : whole->weights->tensors()) {
    const TensorView* tensor = model->weights->find(expected.name);
    ASSERT_NE(tensor, nullptr) << expected.name;
    EXPECT_TRUE(std::ranges::equal(tensor->data, expected.data)) << expected.name;
  }
}

TEST_F(Shards, MayBeOfSixteenBits) {
  std::vector<std::vector<std::byte>> bytes;
  bytes.reserve(tensors_.size());
  std::vector<TensorView> narrow = tensors_;
  for (size_t i = 0; i < narrow.size(); ++i) {
    TensorView& tensor = narrow[i];
    std::vector<float> values(static_cast<size_t>(tensor.element_count()));
    compute::dequantise(tensor.type, tensor.data, values);
    tensor.type = i % 3 == 0 ? DType::kF16 : DType::kBF16;
    bytes.emplace_back(compute::stored_bytes(tensor.type, tensor.element_count()));
    compute::quantise(tensor.type, values, bytes.back());
    tensor.data = bytes.back();
  }
  write_shards(narrow);
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(model) << model.error().message;
  std::map<DType, int> found;
  for (const TensorView& tensor : model->weights->tensors()) ++found[tensor.type];
  EXPECT_GT(found[DType::kF16], 0);
  EXPECT_GT(found[DType::kBF16], 0);
  EXPECT_EQ(found.size(), 2);
}

TEST_F(Shards, AreNamedWhenMissingOrCutShort) {
  write_shards(tensors_);
  const auto second = folder_ / shard_name(1);
  fs::resize_file(second, fs::file_size(second) - 1);
  EXPECT_THAT(refusal(), HasSubstr("model-00002-of-00002.safetensors: "));
  fs::remove(second);
  EXPECT_THAT(refusal(), HasSubstr("model-00002-of-00002.safetensors: No such file"));
}

TEST_F(Shards, MayNotHoldATensorTwice) {
  write_shards(tensors_);
  write(shard_name(1), safetensors_of(tensors_));
  EXPECT_THAT(refusal(), HasSubstr("two tensors are named"));
}

TEST_F(Shards, MayNotLieElsewhere) {
  write_shards(tensors_);
  write("model.safetensors.index.json", R"({"weight_map":{"a":"../model.safetensors"}})");
  EXPECT_THAT(refusal(), HasSubstr("no file of this directory"));
}

TEST_F(Shards, MayNotBeQuantised) {
  write_shards(tensors_);
  std::string config((std::istreambuf_iterator<char>(std::ifstream(kModel / "config.json").rdbuf())), {});
  config.insert(config.find('{') + 1, R"("quantization_config":{"quant_method":"fp8"},)");
  write("config.json", config);
  EXPECT_THAT(refusal(), HasSubstr("quantised (fp8)"));
}

}  // namespace
}  // namespace feilun::model
