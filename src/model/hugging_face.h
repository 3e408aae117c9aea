#pragma once

#include <filesystem>

#include "model/model_file_parts.h"

namespace feilun::model {

/// Reads a Hugging Face directory: config.json, generation_config.json, the tokenizer's files and
/// model.safetensors or its shards. Tensors get GGUF's names.
Result<ModelParts> read_hugging_face_model(const std::filesystem::path& directory);

}  // namespace feilun::model
