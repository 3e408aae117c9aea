// LiteLLM's list is one object, a model each, whose flat keys spell everything: a class, a length it applies
// above and a service tier, as in  input_cost_per_token_above_200k_tokens_priority. Dollars per token.
#include <algorithm>
#include <charconv>

#include "pricing/json_fields.h"
#include "pricing/reference_sheet.h"

namespace feilun::pricing {
namespace {

using simdjson::dom::element;

struct PriceKey {
  size_t index = 0;  ///< of kClassFields
  TokenCount above = 0;
  ServiceTier tier = ServiceTier::kDefault;
};

/// In the order of kClassFields.
constexpr std::string_view kKeys[] = {"input_cost_per_token", "cache_read_input_token_cost",
                                      "cache_creation_input_token_cost", "output_cost_per_token",
                                      "output_cost_per_reasoning_token"};
constexpr std::pair<std::string_view, ServiceTier> kTierSuffixes[] = {
    {"_priority", ServiceTier::kPriority}, {"_flex", ServiceTier::kFlex}, {"_batches", ServiceTier::kBatch}};

/// Takes "_above_200k_tokens" off the front.
bool read_above(std::string_view& rest, TokenCount& above) {
  constexpr std::string_view kAbove = "_above_", kTokens = "_tokens";
  constexpr TokenCount kThousandsMax = 1'000'000'000'000;
  const char* begin = rest.data() + kAbove.size();
  const auto [end, error] = std::from_chars(begin, rest.data() + rest.size(), above);
  if (error != std::errc() || above <= 0 || above > kThousandsMax) return false;
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  if (rest.starts_with('k')) {
    rest.remove_prefix(1);
    above *= 1000;
  }
  if (!rest.starts_with(kTokens)) return false;
  rest.remove_prefix(kTokens.size());
  return true;
}

/// None for what is not a price by the token of a class and tier that we have.
std::optional<PriceKey> read_key(std::string_view text) {
  for (size_t i = 0; i < std::size(kKeys); ++i) {
    if (!text.starts_with(kKeys[i])) continue;
    PriceKey key{.index = i};
    std::string_view rest = text.substr(kKeys[i].size());
    if (rest.starts_with("_above_") && !read_above(rest, key.above)) return std::nullopt;
    for (const auto& [suffix, tier] : kTierSuffixes) {
      if (rest != suffix) continue;
      key.tier = tier;
      rest = {};
    }
    if (rest.empty()) return key;
  }
  return std::nullopt;
}

bool is_cost(std::string_view key) {
  return key.contains("cost");
}

class ModelReader {
 public:
  explicit ModelReader(std::string_view model)
      : price_{.model = std::string(model), .sheet = PriceSheet(), .other = {}, .hours = {}} {}

  ReferencePrice read(element entry) && {
    const auto read = read_entry(entry);
    if (read) {
      price_.sheet = sheet_.to_sheet();
    } else {
      price_.sheet = std::unexpected(read.error());
    }
    return std::move(price_);
  }

 private:
  Result<> read_entry(element entry) {
    simdjson::dom::object object;
    if (entry.get(object)) return fail(ErrorCode::kInvalidArgument, "{} is no object", price_.model);
    std::string_view provider;
    if (!object["litellm_provider"].get(provider)) price_.provider = provider;
    for (const auto& [name, value] : object) {
      if (name != "tiered_pricing") TRY(read_field(name, value, std::string(name)));
    }
    // Ranges win over what the model says outside them, wherever they stand.
    element ranges;
    return object["tiered_pricing"].get(ranges) ? Result<>() : read_ranges(ranges);
  }

  /// [{"range": [0, 32000], "input_cost_per_token": …}, …], each for inputs above where its range begins.
  Result<> read_ranges(element list) {
    size_t index = 0;
    for (const element item : TRY(read_array(list, "tiered_pricing"))) {
      const std::string path = fmt::format("tiered_pricing[{}]", index++);
      simdjson::dom::object object;
      if (item.get(object)) return fail_at(path, "is no object");
      element begin;
      TokenCount above = 0;
      if (!object["range"].at(0).get(begin)) {
        auto count = TRY(read_decimal(begin, path + ".range")).to_count();
        if (!count) return fail_at(path + ".range", std::move(count).error());
        above = *count;
      }
      for (const auto& [name, value] : object) {
        TRY(read_field(name, value, path + "." + std::string(name), above));
      }
    }
    return {};
  }

  Result<> read_field(std::string_view name, element value, const std::string& path, TokenCount above = 0) {
    const auto key = read_key(name);
    if (!key || value.is_null()) {
      keep_other(value, path, is_cost(name));
      return {};
    }
    above = std::max(above, key->above);
    const Decimal price = TRY(read_decimal(value, path));
    sheet_.set(key->tier, key->index, above == 0 ? 0 : first_above(above, price_.provider),
               price.times_ten_to(6));
    return {};
  }

  void keep_other(element value, const std::string& path, bool cost) {
    std::string_view text;
    simdjson::dom::object object;
    if (!value.get(text)) {
      if (cost) price_.other.emplace_back(path, text);
    } else if (!value.get(object)) {
      for (const auto& [name, field] : object) {
        keep_other(field, path + "." + std::string(name), cost || is_cost(name));
      }
    }
  }

  ReferencePrice price_;
  ReferenceSheet sheet_;
};

}  // namespace

Result<std::vector<ReferencePrice>> read_litellm(element root) {
  simdjson::dom::object models;
  if (root.get(models)) {
    return fail(ErrorCode::kInvalidArgument,
                "this is neither LiteLLM's list of prices nor that of genai-prices");
  }
  std::vector<ReferencePrice> prices;
  for (const auto& [name, entry] : models) {
    // The list begins with an entry that explains its fields.
    if (name != "sample_spec") prices.push_back(ModelReader(name).read(entry));
  }
  return prices;
}

}  // namespace feilun::pricing
