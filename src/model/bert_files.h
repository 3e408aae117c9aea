#pragma once

#include <string>
#include <string_view>

#include "model/gguf_settings.h"
#include "model/hugging_face_json.h"
#include "model/model_file.h"

namespace feilun::model {

/// True for the names in config.json's architectures whose body is a plain BERT.
bool is_bert_name(std::string_view name);

/// The shape that config.json describes. kUnsupported for what bert.h does not compute.
Result<Hyperparameters> read_bert_config(const HuggingFaceObject& config);
/// The shape that a GGUF of the architecture "bert" describes.
Result<Hyperparameters> read_bert_gguf(const Gguf& gguf);

/// GGUF's name of a Hugging Face tensor, empty for those that no vector is made of: the pooler of BERT's own
/// training and the heads of its tasks. A name that is not known stays, and is refused when the tensors are
/// checked.
std::string bert_tensor_name(std::string_view name);

}  // namespace feilun::model
