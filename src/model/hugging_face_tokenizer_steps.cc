#include "model/hugging_face_tokenizer_steps.h"

#include <string>

#include "model/pretokenizer_families.h"
#include "model/sentence_piece.h"

namespace feilun::model {
namespace {

using Element = simdjson::dom::element;
using Kind = NormaliserStep::Kind;
using Steps = std::vector<NormaliserStep>;
using Matches = WordStep::Matches;

std::vector<HuggingFaceObject> items_of(const HuggingFaceObject& whole, std::string_view list_key) {
  std::vector<HuggingFaceObject> items;
  const auto list = whole.find(list_key);
  simdjson::dom::array array;
  if (!list || list->get(array) != simdjson::SUCCESS) return items;
  for (const Element item : array) items.emplace_back(item);
  return items;
}

/// {"String": …} or {"Regex": …}.
struct PatternText {
  std::string_view text;
  bool is_regex = false;
};

Result<PatternText> read_pattern(const HuggingFaceObject& part) {
  const auto pattern = TRY(part.object("pattern"));
  if (pattern) {
    if (const auto text = TRY(pattern->string("String"))) return PatternText{*text, false};
    if (const auto regex = TRY(pattern->string("Regex"))) return PatternText{*regex, true};
  }
  return fail(ErrorCode::kCorrupt, "a step of the tokenizer has no pattern");
}

Result<> add_bert(const HuggingFaceObject& part, Steps& steps) {
  const bool lower = TRY(part.boolean("lowercase")).value_or(true);
  if (TRY(part.boolean("clean_text")).value_or(true)) steps.push_back({Kind::kCleanText});
  if (TRY(part.boolean("handle_chinese_chars")).value_or(true)) steps.push_back({Kind::kSpaceIdeographs});
  if (TRY(part.boolean("strip_accents")).value_or(lower)) {
    steps.push_back({Kind::kNfd});
    steps.push_back({Kind::kDropNonspacingMarks});
  }
  if (lower) steps.push_back({Kind::kLowercase});
  return {};
}

Result<> add_normaliser(const HuggingFaceObject& part, Steps& steps) {
  const std::string_view type = type_of(part);
  if (type == "Sequence") {
    for (const HuggingFaceObject& inner : items_of(part, "normalizers")) TRY(add_normaliser(inner, steps));
  } else if (type == "NFC") {
    steps.push_back({Kind::kNfc});
  } else if (type == "NFD") {
    steps.push_back({Kind::kNfd});
  } else if (type == "NFKC") {
    steps.push_back({Kind::kNfkc});
  } else if (type == "NFKD") {
    steps.push_back({Kind::kNfkd});
  } else if (type == "Lowercase") {
    steps.push_back({Kind::kLowercase});
  } else if (type == "StripAccents") {
    steps.push_back({Kind::kDropMarks});
  } else if (type == "Prepend") {
    steps.push_back({Kind::kPrepend, "", std::string(TRY(part.string("prepend")).value_or(""))});
  } else if (type == "Strip") {
    if (TRY(part.boolean("strip_left")).value_or(true)) steps.push_back({Kind::kStripStart});
    if (TRY(part.boolean("strip_right")).value_or(true)) steps.push_back({Kind::kStripEnd});
  } else if (type == "Replace") {
    const PatternText from = TRY(read_pattern(part));
    steps.push_back({from.is_regex ? Kind::kReplacePattern : Kind::kReplaceText, std::string(from.text),
                     std::string(TRY(part.string("content")).value_or(""))});
  } else if (type == "BertNormalizer") {
    TRY(add_bert(part, steps));
  } else {
    return fail(ErrorCode::kUnsupported, "the tokenizer's normaliser {} is not known to this version", type);
  }
  return {};
}

Result<Matches> read_matches(const HuggingFaceObject& part, std::string_view usual) {
  const std::string_view behavior = TRY(part.string("behavior")).value_or(usual);
  const bool inverted = TRY(part.boolean("invert")).value_or(false);
  if (behavior == "Isolated") return Matches::kApart;
  if (behavior == "Removed") return inverted ? Matches::kKept : Matches::kDropped;
  if (behavior == "Contiguous") return Matches::kJoined;
  if (behavior == "MergedWithPrevious" && !inverted) return Matches::kWithPrevious;
  if (behavior == "MergedWithNext" && !inverted) return Matches::kWithNext;
  return fail(ErrorCode::kUnsupported,
              "the tokenizer treats what its words are cut at as {}{}, which is not known",
              inverted ? "inverted " : "", behavior);
}

void add_pattern(std::string_view pattern, Matches matches, WordSteps& words) {
  words.steps.push_back({.text = std::string(pattern), .matches = matches});
}

Result<> add_space_marks(const HuggingFaceObject& part, WordSteps& words) {
  WordStep step{.kind = WordStep::Kind::kSpaceMarks};
  if (TRY(part.string("replacement")).value_or(kSpaceMark) != kSpaceMark) {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer writes spaces in a way that this version does not know");
  }
  const std::string_view scheme = TRY(part.string("prepend_scheme")).value_or("always");
  const bool prefixed = TRY(part.boolean("add_prefix_space")).value_or(true);
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return fail(ErrorCode::kUnsupported, "the tokenizer's prepend_scheme {} is not known to this version",
                scheme);
  }
  step.prefix = !prefixed || scheme == "never" ? WordStep::Prefix::kNever
                : scheme == "first"            ? WordStep::Prefix::kFirst
                                               : WordStep::Prefix::kAlways;
  step.cuts = TRY(part.boolean("split")).value_or(true);
  words.steps.push_back(std::move(step));
  return {};
}

Result<> add_words(const HuggingFaceObject& part, WordSteps& words) {
  const std::string_view type = type_of(part);
  if (words.byte_level) {
    return fail(ErrorCode::kUnsupported, "the tokenizer cuts words after writing them as bytes, by {}", type);
  }
  if (type == "Sequence") {
    for (const HuggingFaceObject& inner : items_of(part, "pretokenizers")) TRY(add_words(inner, words));
  } else if (type == "ByteLevel") {
    if (TRY(part.boolean("add_prefix_space")).value_or(true)) {
      words.steps.push_back({.kind = WordStep::Kind::kPrefixSpace});
    }
    if (TRY(part.boolean("use_regex")).value_or(true))
      add_pattern(gpt2_word_pattern(), Matches::kApart, words);
    words.byte_level = true;
  } else if (type == "Split") {
    const PatternText pattern = TRY(read_pattern(part));
    words.steps.push_back({.kind = pattern.is_regex ? WordStep::Kind::kPattern : WordStep::Kind::kText,
                           .text = std::string(pattern.text),
                           .matches = TRY(read_matches(part, ""))});
  } else if (type == "Digits") {
    const bool single = TRY(part.boolean("individual_digits")).value_or(false);
    add_pattern(single ? kDigitPattern : kDigitsPattern, Matches::kApart, words);
  } else if (type == "Punctuation") {
    add_pattern(kPunctuationPattern, TRY(read_matches(part, "Isolated")), words);
  } else if (type == "Whitespace") {
    add_pattern(kWordsPattern, Matches::kKept, words);
  } else if (type == "WhitespaceSplit") {
    add_pattern(kSpacesPattern, Matches::kDropped, words);
  } else if (type == "BertPreTokenizer") {
    add_pattern(kSpacesPattern, Matches::kDropped, words);
    add_pattern(kPunctuationPattern, Matches::kApart, words);
  } else if (type == "Metaspace") {
    TRY(add_space_marks(part, words));
  } else {
    return fail(ErrorCode::kUnsupported, "the tokenizer's pre-tokenizer {} is not known to this version",
                type);
  }
  return {};
}

}  // namespace

std::string_view type_of(const HuggingFaceObject& object) {
  const auto type = object.string("type");
  return type && *type ? **type : std::string_view();
}

std::vector<HuggingFaceObject> parts_of(std::optional<Element> element, std::string_view list_key) {
  if (!element || !element->is_object()) return {};
  const HuggingFaceObject whole(*element);
  return type_of(whole) == "Sequence" ? items_of(whole, list_key) : std::vector{whole};
}

Result<std::vector<NormaliserStep>> read_normaliser(std::optional<Element> element) {
  Steps steps;
  for (const HuggingFaceObject& part : parts_of(element, "normalizers")) TRY(add_normaliser(part, steps));
  return steps;
}

Result<WordSteps> read_word_steps(std::optional<Element> element) {
  WordSteps words;
  for (const HuggingFaceObject& part : parts_of(element, "pretokenizers")) TRY(add_words(part, words));
  return words;
}

}  // namespace feilun::model
