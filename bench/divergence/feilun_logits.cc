// The logits after each token of a text: feilun_logits MODEL.gguf stored|f32|w8a8 OUT.bin TOKEN…
// OUT.bin gets a row of floats a token. The KV cache is F32.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "model/model_file.h"

using namespace feilun;

namespace {

using engine::Quantise;

Quantise quantise_of(std::string_view name) {
  if (name == "f32") return Quantise::kF32;
  return name == "w8a8" ? Quantise::kW8A8 : Quantise::kAsStored;
}

Result<> write_logits(const std::string& path, Quantise quantise, const std::string& out,
                      std::vector<int32_t> tokens) {
  const model::ModelFile file = TRY(model::open_model(path));
  std::vector<int32_t> blocks((tokens.size() + engine::Backend::kBlockTokens - 1) /
                              engine::Backend::kBlockTokens);
  std::iota(blocks.begin(), blocks.end(), 0);
  const auto backend = TRY(engine::make_cpu_backend(file, {.quantise = quantise,
                                                           .kv_bf16 = false,
                                                           .kv_blocks = static_cast<int64_t>(blocks.size()),
                                                           .threads = 2}));
  std::ofstream rows(out, std::ios::binary);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const engine::SequenceSlice slice{.tokens = std::span(tokens).subspan(i, 1),
                                      .position = static_cast<int64_t>(i),
                                      .blocks = blocks,
                                      .logits = 1};
    const std::span<const float> logits = backend->forward(std::span(&slice, 1));
    rows.write(reinterpret_cast<const char*>(logits.data()),
               static_cast<std::streamsize>(logits.size_bytes()));
  }
  rows.flush();
  if (!rows) return fail(ErrorCode::kInternal, "{} cannot be written", out);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: feilun_logits MODEL.gguf stored|f32|w8a8 OUT.bin TOKEN...\n");
    return 2;
  }
  std::vector<int32_t> tokens;
  for (int i = 4; i < argc; ++i) tokens.push_back(std::atoi(argv[i]));
  const auto written = write_logits(argv[1], quantise_of(argv[2]), argv[3], tokens);
  if (!written) fmt::print(stderr, "{}\n", written.error().message);
  return written ? 0 : 1;
}
