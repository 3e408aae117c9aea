#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/temporary_directory.h"
#include "base/testdata.h"
#include "model/convert.h"
#include "model/convert_llama2c.h"
#include "model/gguf.h"
#include "model/hugging_face_tokenizer.h"
#include "model/mapped_file.h"
#include "model/model_file.h"
#include "model/safetensors.h"

// Files that are cut short, flipped in places, or written to do harm. Each must give one sentence and nothing
// else; the sanitizers' builds see the rest.

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

Bytes read_bytes(const fs::path& path) {
  const auto file = MappedFile::open(path);
  return file ? Bytes((*file)->bytes().begin(), (*file)->bytes().end()) : Bytes();
}

/// stories260K as a GGUF; empty when the test data is absent.
const Bytes& gguf() {
  static const Bytes bytes = [] {
    const auto from = testdata_path("models/stories260K");
    const TemporaryDirectory folder;
    if (!convert_llama2c(from / "stories260K.bin", from / "tok512.bin", folder / "s.gguf")) return Bytes();
    return read_bytes(folder / "s.gguf");
  }();
  return bytes;
}

uint64_t next_random(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 33;
}

void put(Bytes& out, const void* data, size_t size) {
  const auto* from = static_cast<const std::byte*>(data);
  out.insert(out.end(), from, from + size);
}

template <typename T>
void put(Bytes& out, T value) {
  put(out, &value, sizeof value);
}

void put_string(Bytes& out, std::string_view text) {
  put(out, uint64_t{text.size()});
  put(out, text.data(), text.size());
}

Bytes head(uint32_t version, uint64_t tensors, uint64_t pairs) {
  Bytes out;
  put(out, "GGUF", 4);
  put(out, version);
  put(out, tensors);
  put(out, pairs);
  return out;
}

std::string refusal(const Bytes& bytes) {
  const auto parsed = Gguf::parse(bytes);
  return parsed ? "" : parsed.error().message;
}

TEST(GgufDamage, EveryTruncationIsRefused) {
  if (gguf().empty()) GTEST_SKIP() << "test data absent";
  ASSERT_TRUE(open_model_bytes(gguf()));
  for (size_t i = 0; i < 64; ++i) {
    const Bytes part(gguf().begin(), gguf().begin() + static_cast<ptrdiff_t>(gguf().size() * i / 64));
    const auto model = open_model_bytes(part);
    ASSERT_FALSE(model) << i;
    EXPECT_FALSE(model.error().message.empty());
  }
}

TEST(GgufDamage, FlippedBitsNeverCrash) {
  if (gguf().empty()) GTEST_SKIP() << "test data absent";
  uint64_t state = 1;
  const size_t head_bytes = std::min<size_t>(gguf().size(), 20'000);
  int refused = 0;
  for (int i = 0; i < 600; ++i) {
    Bytes copy = gguf();
    // The head is where a flip can do harm.
    for (int flips = 0; flips < 1 + i % 3; ++flips) {
      copy[next_random(state) % head_bytes] ^= static_cast<std::byte>(1 << next_random(state) % 8);
    }
    const auto model = open_model_bytes(copy);
    if (model) {
      model->tokenizer->encode("Once upon a time");
    } else {
      EXPECT_FALSE(model.error().message.empty());
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

TEST(GgufDamage, HostileHeadsGetASentence) {
  EXPECT_THAT(refusal({}), testing::HasSubstr("ends"));
  EXPECT_THAT(refusal(head(1, 0, 0)), testing::HasSubstr("of version 1"));
  EXPECT_THAT(refusal(head(4, 0, 0)), testing::HasSubstr("of version 4"));
  EXPECT_THAT(refusal(head(0x03000000, 0, 0)), testing::HasSubstr("big-endian"));
  EXPECT_THAT(refusal(head(3, uint64_t{1} << 62, 0)), testing::HasSubstr("more than it can hold"));
  EXPECT_THAT(refusal(head(3, 0, ~uint64_t{0})), testing::HasSubstr("more than it can hold"));
  EXPECT_EQ(refusal(head(2, 0, 0)), "");
  EXPECT_EQ(refusal(head(3, 0, 0)), "");
}

TEST(GgufDamage, HostileValuesGetASentence) {
  const auto with = [](auto write) {
    Bytes out = head(3, 0, 1);
    write(out);
    out.resize(out.size() + 64);
    return refusal(out);
  };
  EXPECT_THAT(with([](Bytes& out) { put(out, ~uint64_t{0}); }), testing::HasSubstr("ends inside"));
  EXPECT_THAT(with([](Bytes& out) { put_string(out, "k"), put(out, uint32_t{99}); }),
              testing::HasSubstr("unknown type"));
  EXPECT_THAT(with([](Bytes& out) {
                put_string(out, "k"), put(out, uint32_t{9}), put(out, uint32_t{4}),
                    put(out, uint64_t{1} << 62);
              }),
              testing::HasSubstr("claims"));
  EXPECT_THAT(with([](Bytes& out) {
                put_string(out, "k"), put(out, uint32_t{9}), put(out, uint32_t{9}), put(out, uint64_t{1});
              }),
              testing::HasSubstr("unknown type 9"));
}

struct TensorCase {
  std::vector<uint64_t> dims;
  uint32_t type;
  uint64_t offset;
  const char* sentence;
};

TEST(GgufDamage, HostileTensorsGetASentence) {
  const TensorCase cases[] = {
      {{32}, 0, 0, ""},
      {{uint64_t{1} << 47, uint64_t{1} << 47}, 0, 0, "more elements"},
      {{0}, 0, 0, "dimension 0"},
      {{~uint64_t{0}}, 0, 0, "dimension 0"},
      {{31}, 8, 0, "no multiple"},
      {{32}, 0, 4, "no multiple"},
      {{32}, 0, 1 << 20, "past the end"},
      {{32}, 0, ~uint64_t{31}, "past the end"},
      {{1 << 20}, 0, 0, "past the end"},
      {{32}, 77, 0, "t is stored as type 77"},
      {{256}, 23, 0, "t is stored as IQ4_XS, which this version does not read; it reads F32, F16"},
      {{32}, 39, 0, "t is stored as MXFP4"},
      {{128}, 12, 0, "no multiple of Q4_K's block of 256"},
      {{512}, 14, 0, "past the end"},
      {{256}, 14, 0, ""},
      {{}, 0, 0, "0 dimensions"},
      {{1, 1, 1, 1, 1}, 0, 0, "5 dimensions"},
  };
  for (const TensorCase& test : cases) {
    Bytes out = head(3, 1, 0);
    put_string(out, "t");
    put(out, static_cast<uint32_t>(test.dims.size()));
    for (const uint64_t dim : test.dims) put(out, dim);
    put(out, test.type);
    put(out, test.offset);
    out.resize(out.size() + 256);
    EXPECT_THAT(refusal(out), testing::HasSubstr(test.sentence));
    EXPECT_EQ(refusal(out).empty(), std::string_view(test.sentence).empty());
  }
}

TEST(GgufDamage, TwinsAndOverlapsAreRefused) {
  const auto with = [](std::string_view name, uint64_t offset) {
    Bytes out = head(3, 2, 0);
    for (const auto& [text, at] : {std::pair<std::string_view, uint64_t>("a", 0), {name, offset}}) {
      put_string(out, text);
      put(out, uint32_t{1});
      put(out, uint64_t{16});
      put(out, uint32_t{0});
      put(out, at);
    }
    out.resize(out.size() + 512);
    return refusal(out);
  };
  EXPECT_THAT(with("a", 64), testing::HasSubstr("two tensors"));
  EXPECT_THAT(with("b", 32), testing::HasSubstr("overlap"));
  EXPECT_EQ(with("b", 64), "");
}

Bytes safetensors(const std::string& json, size_t data_bytes) {
  Bytes out;
  put_string(out, json);
  out.resize(out.size() + data_bytes);
  return out;
}

TEST(SafetensorsDamage, HostileHeadersGetASentence) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", ""},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", "needs 8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "inside"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", "inside"},
      {R"({"a":{"dtype":"F32","shape":[200],"data_offsets":[0,800]}})", "inside"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", "dimension"},
      {R"({"a":{"dtype":"F32","shape":[140737488355328,140737488355328],"data_offsets":[0,0]}})",
       "more elements"},
      {R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", "no shape"},
      {R"({"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}})", "a is stored as F8_E4M3"},
      {R"({"a":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]}})", "take the model's BF16 release"},
      {R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})", "must hold F32, F16 or BF16"},
      {R"({"e.position_ids":{"dtype":"I64","shape":[1,2],"data_offsets":[0,16]}})", ""},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       "overlap"},
      {R"({"a":7})", "lacks"},
      {R"([])", "not an object"},
      {R"({"a":)", "not valid JSON"},
  };
  for (const auto& [json, sentence] : cases) {
    const auto parsed = parse_safetensors(safetensors(json, 64));
    EXPECT_EQ(parsed.has_value(), std::string_view(sentence).empty()) << json;
    if (!parsed) {
      EXPECT_THAT(parsed.error().message, testing::HasSubstr(sentence)) << json;
    }
  }
  Bytes huge;
  put(huge, ~uint64_t{0});
  EXPECT_FALSE(parse_safetensors(huge));
  EXPECT_FALSE(parse_safetensors({}));
}

TEST(SafetensorsDamage, EveryTruncationIsRefused) {
  const auto path = testdata_path("models/tinystories-656K/model.safetensors");
  SKIP_WITHOUT(path);
  const Bytes bytes = read_bytes(path);
  ASSERT_TRUE(parse_safetensors(bytes));
  for (size_t i = 0; i < 64; ++i) {
    const auto part = std::span(bytes).first(bytes.size() * i / 64);
    EXPECT_FALSE(parse_safetensors(part)) << i;
  }
}

TEST(Llama2cDamage, EveryTruncationIsRefused) {
  const auto folder = testdata_path("models/stories260K");
  SKIP_WITHOUT(folder);
  const Bytes checkpoint = read_bytes(folder / "stories260K.bin");
  const Bytes tokens = read_bytes(folder / "tok512.bin");
  ASSERT_TRUE(parse_llama2c_checkpoint(checkpoint));
  ASSERT_TRUE(parse_llama2c_tokenizer(tokens, 512));
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_FALSE(parse_llama2c_checkpoint(std::span(checkpoint).first(checkpoint.size() * i / 64)));
    EXPECT_FALSE(parse_llama2c_tokenizer(std::span(tokens).first(tokens.size() * i / 64), 512));
  }
  EXPECT_FALSE(parse_llama2c_tokenizer(tokens, 511));
}

void write_text(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(HuggingFaceDamage, CutAndHostileTokenizersGetASentence) {
  const auto source = testdata_path("models/tinystories-656K/tokenizer.json");
  SKIP_WITHOUT(source);
  const TemporaryDirectory folder;
  const Bytes whole = read_bytes(source);
  const std::string_view text(reinterpret_cast<const char*>(whole.data()), whole.size());
  for (size_t i = 0; i < 64; ++i) {
    write_text(folder / "tokenizer.json", text.substr(0, text.size() * i / 64));
    EXPECT_FALSE(read_hugging_face_tokenizer(folder.path())) << i;
  }
  for (const char* json :
       {"{}", "[]", R"({"model":{"type":"BPE","vocab":{"a":4000000000},"merges":[]}})",
        R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[[1]]}})",
        R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}})",
        R"({"model":{"type":"Unigram","vocab":[["a"]]}})",
        R"({"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}})",
        R"({"model":{"type":"Morse","vocab":{}}})",
        R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":-1,"content":"x"}]})"}) {
    write_text(folder / "tokenizer.json", json);
    const auto read = read_hugging_face_tokenizer(folder.path());
    ASSERT_FALSE(read) << json;
    EXPECT_FALSE(read.error().message.empty());
  }
}

}  // namespace
}  // namespace feilun::model
