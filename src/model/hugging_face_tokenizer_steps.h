#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/hugging_face_json.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// The "type" of a tokenizer.json object; empty when it has none.
std::string_view type_of(const HuggingFaceObject& object);

/// The parts of a Sequence, or the thing itself; nothing when it is null.
std::vector<HuggingFaceObject> parts_of(std::optional<simdjson::dom::element> element,
                                        std::string_view list_key);

/// tokenizer.json's normalizer. kUnsupported with its name for a kind that is not known.
Result<std::vector<NormaliserStep>> read_normaliser(std::optional<simdjson::dom::element> element);

struct WordSteps {
  std::vector<WordStep> steps;
  bool byte_level = false;  ///< words are bytes in GPT-2's alphabet
};

/// tokenizer.json's pre_tokenizer. kUnsupported as above.
Result<WordSteps> read_word_steps(std::optional<simdjson::dom::element> element);

}  // namespace feilun::model
