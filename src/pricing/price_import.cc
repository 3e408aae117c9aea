#include "pricing/price_import.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "pricing/json_fields.h"
#include "pricing/reference_sheet.h"

namespace feilun::pricing {
namespace {

constexpr size_t kSuggestionsMax = 5;

bool is_named(const ReferencePrice& price, std::string_view provider, std::string_view model) {
  if (price.provider != provider) return false;
  if (price.model == model) return true;
  const std::string prefix = price.provider + "/";
  return price.model.starts_with(prefix) && std::string_view(price.model).substr(prefix.size()) == model;
}

bool applies(const ReferencePrice& price, WallTime at) {
  return price.effective_from <= at && (!price.hours || price.hours->contain(at));
}

/// The first few names that contain `part`.
std::string suggestions(const std::set<std::string_view>& names, std::string_view part) {
  std::vector<std::string_view> alike;
  for (const std::string_view name : names) {
    if (alike.size() < kSuggestionsMax && name.contains(part)) alike.push_back(name);
  }
  return alike.empty() ? "none like it" : fmt::format("{}", fmt::join(alike, ", "));
}

}  // namespace

bool DailyHours::contain(WallTime time) const {
  const auto of_day = time - std::chrono::floor<std::chrono::days>(time);
  if (until < from) return of_day >= from || of_day < until;
  return from <= of_day && of_day < until;
}

Result<const ReferencePrice*> ReferencePrices::find(std::string_view provider, std::string_view model,
                                                    WallTime at) const {
  const ReferencePrice* found = nullptr;
  std::set<std::string_view> providers, models;
  for (const ReferencePrice& price : prices_) {
    providers.insert(price.provider);
    if (price.provider == provider) models.insert(price.model);
    if (is_named(price, provider, model) && (found == nullptr || applies(price, at))) found = &price;
  }
  if (found != nullptr) return found;
  if (models.empty()) {
    return fail(ErrorCode::kNotFound, "the list has no provider named {}; it has {}", provider,
                fmt::join(providers, ", "));
  }
  return fail(ErrorCode::kNotFound, "the list has no model {} of {}; it has {}", model, provider,
              suggestions(models, model));
}

Result<ReferencePrices> read_reference_prices(std::string_view text) {
  const JsonDocument document = TRY(parse_json_with_written_numbers(text));
  const auto root = document.root();
  return ReferencePrices(TRY(root.is_array() ? read_genai_prices(root) : read_litellm(root)));
}

}  // namespace feilun::pricing
