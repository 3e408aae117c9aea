#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_directory.h"
#include "model/mapped_file.h"
#include "model/model_file.h"

// Directories that people have and this version does not run: each is refused with one sentence that names
// what is in the way and what to take instead.

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct File {
  const char* name;
  const char* text;
};

struct Refused {
  const char* what;
  std::vector<File> files;
  const char* in_the_way;
  const char* instead;
};

std::string refusal_of(const fs::path& directory) {
  const auto file = open_model(directory);
  return file ? "" : file.error().message;
}

void expect_one_sentence(const std::string& refusal, const Refused& test) {
  EXPECT_THAT(refusal, AllOf(HasSubstr(test.in_the_way), HasSubstr(test.instead))) << test.what;
  EXPECT_EQ(refusal.find('\n'), refusal.npos) << test.what;
  EXPECT_LT(refusal.size(), 500u) << test.what;
}

TEST(HuggingFaceRefusal, ADirectoryOfAnotherKindIsRefusedBySayingWhatToTake) {
  const char* const architectures[] = {"RobertaModel",
                                       "XLMRobertaModel",
                                       "DistilBertModel",
                                       "MPNetModel",
                                       "ModernBertForMaskedLM",
                                       "T5EncoderModel",
                                       "FalconForCausalLM",
                                       "MixtralForCausalLM",
                                       "Qwen2MoeForCausalLM",
                                       "DeepseekV3ForCausalLM",
                                       "GPT2LMHeadModel",
                                       "MambaForCausalLM",
                                       "WhisperForConditionalGeneration",
                                       "Qwen2_5_VLForConditionalGeneration",
                                       "LlavaForConditionalGeneration",
                                       "BertForSequenceClassification",
                                       "T5ForConditionalGeneration",
                                       "Gemma3ForConditionalGeneration"};
  for (const char* const name : architectures) {
    const TemporaryDirectory folder;
    std::ofstream(folder / "config.json") << fmt::format(R"({{"architectures": ["{}"]}})", name);
    const std::string in_the_way = fmt::format("\"{}\"", name);
    expect_one_sentence(refusal_of(folder.path()), {name, {}, in_the_way.c_str(), "take a model of one of"});
  }
  const Refused others[] = {
      {"no architecture", {{"config.json", "{}"}}, "names no architecture", "LlamaForCausalLM"},
      {"a folder of GGUF files", {{"a-Q4_K_M.gguf", "GGUF"}}, "no config.json", "name the GGUF file itself"},
      {"an adapter", {{"adapter_config.json", "{}"}}, "adapter", "merge it into its model"},
      {"an empty folder", {}, "no config.json", "Hugging Face"},
  };
  for (const Refused& test : others) {
    const TemporaryDirectory folder;
    for (const File& file : test.files) std::ofstream(folder / file.name) << file.text;
    expect_one_sentence(refusal_of(folder.path()), test);
  }
}

/// A small model that loads, with something in its config.json or a file of it instead.
TEST(HuggingFaceRefusal, AModelThatIsStoredOtherwiseIsRefusedBySayingWhatToTake) {
  const fs::path good = fs::path(FEILUN_SOURCE_DIR) / "tests/golden/models/llama";
  ASSERT_EQ(refusal_of(good), "");
  const auto with_config = [&](std::string_view added, std::string_view left_out, auto&&... files) {
    const TemporaryDirectory folder;
    for (const auto& entry : fs::directory_iterator(good)) {
      if (entry.path().filename() != left_out)
        fs::copy_file(entry.path(), folder / entry.path().filename().string());
    }
    std::string config = read_text_file(good / "config.json", 1 << 16).value();
    config.insert(1, added);
    std::ofstream(folder / "config.json") << config;
    (static_cast<void>(std::ofstream(folder / files.name) << files.text), ...);
    return refusal_of(folder.path());
  };
  for (const std::string_view method :
       {"fp8", "gptq", "awq", "bitsandbytes", "compressed-tensors", "mxfp4"}) {
    const auto added = fmt::format(R"("quantization_config": {{"quant_method": "{}", "bits": 4}},)", method);
    expect_one_sentence(with_config(added, ""), {added.c_str(), {}, method.data(), "or a GGUF of the model"});
  }
  expect_one_sentence(with_config(R"("quantization": {"group_size": 64, "bits": 4},)", ""),
                      {"MLX", {}, "quantised", "or a GGUF of the model"});
  expect_one_sentence(with_config("", "model.safetensors", File{"pytorch_model.bin", "PK"}),
                      {"pickled weights", {}, "pytorch_model.bin", "save_pretrained"});
  expect_one_sentence(with_config("", "model.safetensors"),
                      {"no weights", {}, "no model.safetensors", "model.safetensors.index.json"});
  expect_one_sentence(with_config("", "tokenizer.json", File{"tokenizer.model", "x"}),
                      {"SentencePiece's tokenizer alone", {}, "tokenizer.model", "save_pretrained"});
  expect_one_sentence(with_config("", "tokenizer.json"),
                      {"no tokenizer", {}, "there is no tokenizer.json", "vocab.txt"});
}

/// Not even root can follow a link to itself.
TEST(HuggingFaceRefusal, AFileThatCannotBeLookedAtIsAnError) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("config.json", directory.path() / "config.json");
  const auto model = open_model(directory.path());
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("config.json"), std::string::npos) << model.error().message;
}

}  // namespace
}  // namespace feilun::model
