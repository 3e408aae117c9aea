#pragma once

#include "model/gguf_files.h"
#include "model/model_file_parts.h"

namespace feilun::model {

/// Reads a model from the head of its GGUF; the maps in `opened` live on in its weights.
Result<ModelParts> read_gguf_model(GgufFiles opened);

/// The tokenizer that the file's tokenizer.* values describe.
Result<TokenizerSpec> read_gguf_tokenizer(const Gguf& gguf);

}  // namespace feilun::model
