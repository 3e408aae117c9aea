#pragma once

#include <memory>
#include <span>

#include "model/gguf.h"
#include "model/mapped_file.h"
#include "model/model_file_parts.h"

namespace feilun::model {

/// Reads a model from the bytes of a GGUF; `owner` is the map they lie in, or null when the caller keeps
/// them.
Result<ModelParts> read_gguf_model(std::span<const std::byte> bytes, std::shared_ptr<const MappedFile> owner);

/// The tokenizer that the file's tokenizer.* values describe.
Result<TokenizerSpec> read_gguf_tokenizer(const Gguf& gguf);

}  // namespace feilun::model
