// The logits after each token of a text: llama_cpp_logits MODEL.gguf OUT.bin TOKEN…
// OUT.bin gets a row of floats a token. The KV cache is F32, attention is not fused.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "llama.h"

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: llama_cpp_logits MODEL.gguf OUT.bin TOKEN...\n"), 2;
  std::vector<llama_token> tokens;
  for (int i = 3; i < argc; ++i) tokens.push_back(std::atoi(argv[i]));
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  llama_model* model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (model == nullptr) return std::fprintf(stderr, "llama.cpp does not load %s\n", argv[1]), 1;
  const auto count = static_cast<int32_t>(tokens.size());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<uint32_t>(count);
  params.n_threads = params.n_threads_batch = 2;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  llama_context* context = llama_init_from_model(model, params);
  llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int32_t i = 0; i < count; ++i) {
    batch.token[i] = tokens[static_cast<size_t>(i)];
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  if (llama_decode(context, batch) != 0) return std::fprintf(stderr, "llama.cpp does not decode\n"), 1;
  const auto width = static_cast<std::streamsize>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  std::ofstream out(argv[2], std::ios::binary);
  for (int32_t i = 0; i < count; ++i) {
    out.write(reinterpret_cast<const char*>(llama_get_logits_ith(context, i)), width * 4);
  }
  out.flush();
  return out ? 0 : 1;
}
