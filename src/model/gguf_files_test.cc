#include "model/gguf_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/temporary_directory.h"
#include "compute/dequantise.h"
#include "model/convert.h"
#include "model/gguf_writer.h"
#include "model/inspect.h"
#include "model/model_file_parts.h"

// tests/golden/gguf holds models that PyPI's gguf wrote, whole and in parts (tools/golden/gguf_files.py).

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kGolden = fs::path(FEILUN_SOURCE_DIR) / "tests/golden/gguf";

std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_all(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string part_name(int number, int count = 3) {
  return GgufPartName{"split", number, count}.of(number);
}

/// A folder with the three parts of a model, gone after the test.
class SplitModel : public testing::Test {
 protected:
  SplitModel() {
    for (int number = 1; number <= 3; ++number) fs::copy_file(kGolden / part_name(number), path(number));
  }
  fs::path path(int number) const { return folder_ / part_name(number); }
  /// Why the model does not open, asked through its first part; "" when it does.
  std::string refusal() const {
    const auto model = open_model(path(1));
    return model ? "" : model.error().message;
  }

  TemporaryDirectory folder_;
};

TEST(GgufPartName, IsReadAndWritten) {
  const auto name = parse_gguf_part_name("Qwen3-8B-Q4_K_M-00002-of-00003.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "Qwen3-8B-Q4_K_M");
  EXPECT_EQ(name->number, 2);
  EXPECT_EQ(name->count, 3);
  EXPECT_EQ(name->of(1), "Qwen3-8B-Q4_K_M-00001-of-00003.gguf");
  for (const char* other :
       {"", ".gguf", "a.gguf", "-00001-of-0003.gguf", "a-00004-of-00003.gguf", "a-00000-of-00003.gguf",
        "a-0000x-of-00003.gguf", "a-00001-of-00003.bin", "a00001-of-00003.gguf", "a--0001-of-00003.gguf"}) {
    EXPECT_FALSE(parse_gguf_part_name(other)) << other;
  }
}

TEST_F(SplitModel, OpensFromAnyOfItsParts) {
  const auto whole = open_model(kGolden / "whole.gguf");
  ASSERT_TRUE(whole) << whole.error().message;
  for (int number = 1; number <= 3; ++number) {
    const auto model = open_model(path(number));
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->name, "golden");
    EXPECT_EQ(model->shape.hidden, 32);
    ASSERT_EQ(model->weights->tensors().size(), whole->weights->tensors().size());
    for (const TensorView& expected : whole->weights->tensors()) {
      const TensorView* tensor = model->weights->find(expected.name);
      ASSERT_NE(tensor, nullptr) << expected.name;
      EXPECT_EQ(tensor->type, expected.type);
      EXPECT_TRUE(std::ranges::equal(tensor->data, expected.data)) << expected.name;
      model->weights->release(*tensor);
    }
  }
}

TEST_F(SplitModel, ConvertsToOneFile) {
  const auto done = convert_model(path(2), {}, folder_ / "one.gguf");
  ASSERT_TRUE(done) << done.error().message;
  const auto one = open_model(folder_ / "one.gguf");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->weights->tensors().size(), 11);
}

TEST_F(SplitModel, IsInspectedWhole) {
  const auto found = inspect_model(path(1));
  const auto whole = inspect_model(kGolden / "whole.gguf");
  ASSERT_TRUE(found && whole);
  EXPECT_EQ(found->parameters, whole->parameters);
  EXPECT_EQ(found->refusal, "");
}

TEST_F(SplitModel, NamesAMissingPart) {
  fs::remove(path(2));
  EXPECT_THAT(refusal(), HasSubstr("part 2 of 3, split-00002-of-00003.gguf, is missing: all parts"));
  fs::remove(path(3));
  EXPECT_THAT(refusal(), HasSubstr("is missing (and 1 more)"));
}

TEST_F(SplitModel, NamesAPartUnderAWrongName) {
  fs::copy_file(path(1), path(2), fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal(),
              HasSubstr("split-00002-of-00003.gguf holds part 1 of 3, but its name makes it part 2 of 3"));
  fs::copy_file(kGolden / "whole.gguf", path(2), fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal(), HasSubstr("split-00002-of-00003.gguf holds part 1 of 1"));
}

TEST_F(SplitModel, NamesPartsOfDifferentModels) {
  // The four bytes after the key and its type are the number of the model's tensors.
  std::string bytes = read_all(path(3));
  const std::string key = "split.tensors.count";
  const size_t at = bytes.find(key);
  ASSERT_NE(at, bytes.npos);
  bytes[at + key.size() + 4] = 12;
  write_all(path(3), bytes);
  EXPECT_THAT(refusal(), HasSubstr("split-00003-of-00003.gguf count the model's tensors differently"));
}

TEST_F(SplitModel, NamesATensorThatTwoPartsHold) {
  // The third part holds output_norm.weight, a name as long as one of the first part's.
  std::string bytes = read_all(path(3));
  const std::string name = "blk.0.ffn_norm.weight";
  const size_t at = bytes.find(name);
  ASSERT_NE(at, bytes.npos);
  write_all(path(3), bytes.replace(at, name.size(), "blk.0.ffn_gate.weight"));
  EXPECT_THAT(refusal(), HasSubstr("both hold the tensor blk.0.ffn_gate.weight"));
}

TEST_F(SplitModel, NamesATruncatedPart) {
  const std::string bytes = read_all(path(2));
  for (size_t i = 0; i < 32; ++i) {
    write_all(path(2), std::string_view(bytes).substr(0, bytes.size() * i / 32));
    EXPECT_THAT(refusal(), HasSubstr(": split-00002-of-00003.gguf: ")) << i;
  }
}

TEST_F(SplitModel, SurvivesFlippedBits) {
  const std::string bytes = read_all(path(2));
  uint64_t state = 9;
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    std::string copy = bytes;
    state = state * 6364136223846793005u + 1442695040888963407u;
    copy[(state >> 33) % 600] ^= static_cast<char>(1 << (state >> 20) % 8);
    write_all(path(2), copy);
    if (!refusal().empty()) ++refused;
  }
  EXPECT_GT(refused, 15);
}

TEST_F(SplitModel, MustKeepItsNames) {
  fs::rename(path(1), folder_ / "renamed.gguf");
  const auto model = open_model(folder_ / "renamed.gguf");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("does not end with -00001-of-00003.gguf"));
  fs::rename(folder_ / "renamed.gguf", folder_ / part_name(1, 4));
  EXPECT_FALSE(open_model(folder_ / part_name(1, 4)));
}

TEST_F(SplitModel, IsNotOpenedFromMemory) {
  const auto file = MappedFile::open(path(1)).value();
  const auto model = open_model_bytes(file->bytes());
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("one of 3 parts"));
}

TEST(GgufVersions, TwoIsReadAsThreeIs) {
  const TemporaryDirectory folder;
  const auto path = folder / "version.gguf";
  std::string bytes = read_all(kGolden / "whole.gguf");
  bytes[4] = 2;
  write_all(path, bytes);
  const auto model = open_model(path);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->format, "GGUF v2");
  EXPECT_EQ(model->weights->tensors().size(), 11);
}

/// A part that holds one tensor of `floats` numbers.
void write_large_part(const fs::path& path, int number, int64_t floats) {
  GgufWriter writer;
  writer.set_u32("split.no", static_cast<uint32_t>(number - 1));
  writer.set_u32("split.count", 2);
  writer.set_u32("split.tensors.count", 2);
  TensorView tensor{
      .name = fmt::format("t{}", number), .type = compute::DType::kF32, .rank = 1, .dims = {floats, 1, 1, 1}};
  writer.add_tensor(tensor,
                    [](int64_t, int64_t, std::span<std::byte> out) { std::ranges::fill(out, std::byte{1}); });
  ASSERT_TRUE(writer.write(path, {}));
}

/// Bytes of mapped files that are in memory for this process.
int64_t resident_file_bytes() {
  int64_t all = 0;
  int64_t resident = 0;
  int64_t shared = 0;
  std::ifstream("/proc/self/statm") >> all >> resident >> shared;
  return shared * ::sysconf(_SC_PAGESIZE);
}

TEST_F(SplitModel, GivesBackThePagesOfEveryPart) {
  constexpr int64_t kFloats = 2 << 20;
  for (int number = 1; number <= 2; ++number)
    write_large_part(folder_ / part_name(number, 2), number, kFloats);
  auto opened = open_gguf_files(folder_ / part_name(1, 2));
  ASSERT_TRUE(opened) << opened.error().message;
  const auto tensors = opened->gguf.tensors();
  const auto weights = MappedWeights::make({tensors.begin(), tensors.end()}, opened->files).value();
  for (const TensorView& tensor : weights->tensors()) {
    EXPECT_EQ(std::ranges::count(tensor.data, std::byte{1}), kFloats * 4);
  }
  const int64_t before = resident_file_bytes();
  for (const TensorView& tensor : weights->tensors()) weights->release(tensor);
  EXPECT_GT(before - resident_file_bytes(), 2 * kFloats * 4 * 9 / 10);
}

TEST(GgufTypes, ConvertToEightBitsFromEveryType) {
  const TemporaryDirectory folder;
  const auto out = folder / "types.gguf";
  const auto done = convert_model(kGolden / "mixed.gguf", compute::DType::kQ8_0, out);
  ASSERT_TRUE(done) << done.error().message;
  const auto from = open_model(kGolden / "mixed.gguf");
  const auto to = open_model(out);
  ASSERT_TRUE(from && to);
  for (const TensorView& source : from->weights->tensors()) {
    const TensorView* tensor = to->weights->find(source.name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->type, source.rank == 1 ? compute::DType::kF32 : compute::DType::kQ8_0);
    std::vector<float> before(static_cast<size_t>(source.element_count()));
    std::vector<float> after(before.size());
    compute::dequantise(source.type, source.data, before);
    compute::dequantise(tensor->type, tensor->data, after);
    double error = 0;
    double power = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      error += (after[i] - before[i]) * (after[i] - before[i]);
      power += before[i] * before[i];
    }
    EXPECT_LT(error, power * 0.006 * 0.006) << source.name;
  }
}

TEST(GgufTypes, KeepTheirBytesWhenConvertedAsStored) {
  const TemporaryDirectory folder;
  const auto out = folder / "stored.gguf";
  ASSERT_TRUE(convert_model(kGolden / "mixed.gguf", {}, out));
  const auto from = open_model(kGolden / "mixed.gguf");
  const auto to = open_model(out);
  ASSERT_TRUE(from && to);
  for (const TensorView& source : from->weights->tensors()) {
    EXPECT_TRUE(std::ranges::equal(source.data, to->weights->find(source.name)->data)) << source.name;
  }
}

}  // namespace
}  // namespace feilun::model
