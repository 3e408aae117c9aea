#pragma once

#include <filesystem>

#include "model/gguf.h"
#include "model/model_file.h"
#include "model/tokenizer_spec.h"

// How the vectors of a model are made, as its files say. Vectors are always brought to a length of one here,
// whether or not the files ask for it. A BERT whose files are silent gives the mean; any other model then
// generates.

namespace feilun::model {

/// Reads what sentence-transformers writes: modules.json lists the steps after the model itself, each with a
/// folder of its own. Sets `file.pooling`, and brings the window of a BERT down to the longest input that its
/// maker meant. kUnsupported for other ways of pooling and for other steps, such as a dense layer,
/// and for texts that are to be changed before `tokenizer` reads them: every vector would be another one.
Result<> read_directory_pooling(const std::filesystem::path& directory, const TokenizerSpec& tokenizer,
                                ModelFile& file);

/// The same from ARCHITECTURE.pooling_type. kUnsupported for a reranker.
Result<> read_gguf_pooling(const Gguf& gguf, ModelFile& file);

}  // namespace feilun::model
