#include "pricing/price_import.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/testdata.h"
#include "pricing/class_fields.h"
#include "pricing/json_fields.h"

namespace feilun::pricing {
namespace {

using simdjson::dom::element;

constexpr WallTime at(int year, unsigned month, unsigned day) {
  return WallTime(
      std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)));
}
constexpr WallTime kNow = at(2026, 11, 23);

std::string genai_text() {
  std::ifstream file(testdata_path("prices/genai-prices.json"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

#define SKIP_WITHOUT_GENAI_PRICES() SKIP_WITHOUT(testdata_path("prices/genai-prices.json"))

/// "input/cache_read/cache_write/output/reasoning" in dollars per million, a dash for what is not named.
std::string text_of(const ClassPrices& prices) {
  std::string text;
  for (const auto& [name, price, unit] : kClassFields) {
    text += (text.empty() ? "" : "/") + ((prices.*price) ? (prices.*price)->to_string() : "-");
  }
  return text;
}

std::string text_of(const PriceTable& table) {
  std::string text = text_of(table.prices);
  for (const LengthTier& tier : table.length_tiers) {
    text += fmt::format(" from {} {}", tier.from, text_of(tier.prices));
  }
  return text;
}

std::string base_of(const ReferencePrices& prices, std::string_view provider, std::string_view model,
                    WallTime when = kNow) {
  const auto found = prices.find(provider, model, when);
  if (!found) return found.error().message;
  return (*found)->sheet ? text_of((*found)->sheet->base) : (*found)->sheet.error().message;
}

TEST(PriceImport, ReadsWhatASearchByHandFindsInTheRealList) {
  SKIP_WITHOUT_GENAI_PRICES();
  const auto prices = read_reference_prices(genai_text()).value();
  EXPECT_EQ(base_of(prices, "anthropic", "claude-3-5-haiku-latest"), "0.8/0.08/1/4/-");
  EXPECT_EQ(base_of(prices, "anthropic", "claude-2"), "8/-/-/24/-");
  EXPECT_EQ(base_of(prices, "openai", "gpt-realtime-mini"), "0.6/0.06/-/2.4/-");
  EXPECT_EQ(base_of(prices, "openrouter", "x-ai/grok-4-fast"), "0.2/0.05/-/0.5/- from 128001 0.4/0.05/-/1/-");
  const auto sonar = prices.find("perplexity", "sonar-pro", kNow).value();
  EXPECT_EQ(sonar->other, (std::vector<std::pair<std::string, std::string>>{{"requests_kcount", "14"}}));
}

TEST(PriceImport, DatedPricesHoldFromTheirFirstDay) {
  SKIP_WITHOUT_GENAI_PRICES();
  const auto prices = read_reference_prices(genai_text()).value();
  const WallTime day = at(2026, 3, 13);
  const std::string before = "5/0.5/6.25/25/- from 200001 10/1/12.5/37.5/-";
  EXPECT_EQ(base_of(prices, "anthropic", "claude-opus-4-6", day - std::chrono::milliseconds(1)), before);
  EXPECT_EQ(base_of(prices, "anthropic", "claude-opus-4-6", day), "5/0.5/6.25/25/-");
  EXPECT_EQ(base_of(prices, "anthropic", "claude-opus-4-6", at(2024, 1, 1)), before);
}

TEST(PriceImport, PricesOfSomeHoursHoldOnlyThen) {
  SKIP_WITHOUT_GENAI_PRICES();
  const auto prices = read_reference_prices(genai_text()).value();
  const WallTime begin = kNow + std::chrono::minutes(30), end = kNow + std::chrono::minutes(16 * 60 + 30);
  const auto tick = std::chrono::milliseconds(1);
  const std::string cheap = "0.135/0.035/-/0.55/-", full = "0.27/0.07/-/1.1/-";
  EXPECT_EQ(base_of(prices, "deepseek", "deepseek-chat", begin - tick), cheap);
  EXPECT_EQ(base_of(prices, "deepseek", "deepseek-chat", begin), full);
  EXPECT_EQ(base_of(prices, "deepseek", "deepseek-chat", end - tick), full);
  EXPECT_EQ(base_of(prices, "deepseek", "deepseek-chat", end), cheap);
}

TEST(PriceImport, HoursMayPassMidnight) {
  const DailyHours night{std::chrono::hours(16), std::chrono::hours(1)};
  EXPECT_TRUE(night.contain(kNow));
  EXPECT_FALSE(night.contain(kNow + std::chrono::hours(1)));
  EXPECT_FALSE(night.contain(kNow + std::chrono::hours(16) - std::chrono::milliseconds(1)));
  EXPECT_TRUE(night.contain(kNow + std::chrono::hours(16)));
}

/// Walks the list as it is written, next to what was read of it.
class WrittenList {
 public:
  explicit WrittenList(const ReferencePrices& read) : read_(read.all()) {}

  void check(element root) {
    for (const element provider : root) {
      for (const element model : provider["models"]) {
        const element prices = model["prices"];
        if (prices.is_array()) {
          for (const element conditional : prices) check_prices(conditional["prices"]);
        } else {
          check_prices(prices);
        }
      }
    }
    EXPECT_EQ(next_, read_.size());
  }
  size_t numbers() const { return numbers_; }

 private:
  void check_prices(element written) {
    ASSERT_LT(next_, read_.size());
    const ReferencePrice& read = read_[next_++];
    for (const auto& [key, value] : simdjson::dom::object(written)) {
      ASSERT_TRUE(read.sheet || key == "requests_kcount") << read.model;
      if (value.is_string()) {
        check_number(read, key, std::string_view(value), 0);
        continue;
      }
      check_number(read, key, std::string_view(value["base"]), 0);
      for (const element tier : value["tiers"]) {
        const auto start = Decimal::parse(std::string_view(tier["start"])).value().to_count().value();
        check_number(read, key, std::string_view(tier["price"]), start + (read.provider == "x-ai" ? 0 : 1));
      }
    }
    // Where nothing is written, nothing is read.
    if (simdjson::dom::object(written).size() == 0) {
      ASSERT_FALSE(read.sheet);
      EXPECT_EQ(read.sheet.error().code, ErrorCode::kUnsupported);
    }
  }

  void check_number(const ReferencePrice& read, std::string_view key, std::string_view text,
                    TokenCount from) {
    ++numbers_;
    const Decimal number = Decimal::parse(text).value();
    for (const auto& [name, price, unit] : kClassFields) {
      if (key != std::string(name) + "_mtok") continue;
      const ClassPrices* prices = from == 0 ? &read.sheet->base.prices : nullptr;
      for (const LengthTier& tier : read.sheet->base.length_tiers) {
        if (tier.from == from) prices = &tier.prices;
      }
      ASSERT_NE(prices, nullptr) << read.model;
      EXPECT_EQ((prices->*price).value(), number) << read.model << " " << key;
      return;
    }
    const std::pair<std::string, std::string> other(key, text);
    EXPECT_NE(std::ranges::find(read.other, other), read.other.end()) << read.model << " " << key;
  }

  const std::vector<ReferencePrice>& read_;
  size_t next_ = 0;
  size_t numbers_ = 0;
};

TEST(PriceImport, ReadsEveryPriceOfTheRealList) {
  SKIP_WITHOUT_GENAI_PRICES();
  const std::string text = genai_text();
  const auto prices = read_reference_prices(text).value();
  const JsonDocument written = parse_json_with_written_numbers(text).value();
  WrittenList list(prices);
  list.check(written.root());
  // Counted by another JSON reader.
  EXPECT_EQ(prices.all().size(), 1451u);
  EXPECT_EQ(list.numbers(), 3145u);
}

TEST(PriceImport, EverySheetOfTheRealListResolvesToRows) {
  SKIP_WITHOUT_GENAI_PRICES();
  const auto rates =
      rates_from_json(R"([{"from":"USD","to":"CNY","rate":"7.1937","since":"2026-01-01"}])").value();
  size_t resolved = 0;
  for (const ReferencePrice& price : read_reference_prices(genai_text()).value().all()) {
    if (!price.sheet) continue;
    PriceSheet sheet = *price.sheet;
    sheet.also = {"CNY"};
    const auto rows = resolve(sheet, rates, kNow);
    ASSERT_TRUE(rows) << price.model << ": " << rows.error().message;
    EXPECT_EQ(sheet_from_json(to_json(sheet)).value(), sheet);
    ++resolved;
  }
  EXPECT_GT(resolved, 1200u);
}

/// In the shape of LiteLLM's list; numbers as it writes them.
constexpr std::string_view kLiteLlm = R"({
  "sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of them", "max_tokens": "a number"},
  "gpt-flagship": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 128000,
    "input_cost_per_token": 2.5e-06, "input_cost_per_token_above_272k_tokens": 5e-06,
    "input_cost_per_token_priority": 5e-06, "output_cost_per_token": 1.5e-05,
    "output_cost_per_token_above_272k_tokens": 2.25e-05, "output_cost_per_token_priority": 3e-05,
    "cache_read_input_token_cost": 2.5e-07, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 7.5e-06,
    "cache_read_input_token_cost_batches": 1.3e-07, "input_cost_per_token_ultrafast": 1e-05,
    "search_context_cost_per_query": {"search_context_size_high": 0.01}},
  "dashscope/qwen-plus": {"litellm_provider": "dashscope", "tiered_pricing": [
    {"input_cost_per_token": 4e-07, "output_cost_per_token": 1.2e-06,
     "output_cost_per_reasoning_token": 4e-06, "range": [0, 256000.0]},
    {"input_cost_per_token": 1.2e-06, "output_cost_per_token": 3.6e-06,
     "output_cost_per_reasoning_token": 1.2e-05, "range": [256000.0, 1000000.0]}],
    "off_peak_pricing": {"input_cost_per_token": 2e-07, "windows": [{"weekdays": [1, 2]}]}},
  "xai/grok": {"litellm_provider": "xai", "input_cost_per_token": 2e-07, "output_cost_per_token": 5e-07,
    "input_cost_per_token_above_128k_tokens": 4e-07},
  "embedding-small": {"litellm_provider": "openai", "input_cost_per_token": 2.9999999999999997e-08},
  "painter": {"litellm_provider": "openai", "output_cost_per_image": 0.04},
  "absurd": {"litellm_provider": "openai", "input_cost_per_token": 1e39},
  "broken": {"litellm_provider": "openai", "input_cost_per_token": -1, "output_cost_per_token": 1}
})";

TEST(PriceImport, ReadsClassesLengthsAndTiersFromTheKeysOfLiteLlm) {
  const auto prices = read_reference_prices(kLiteLlm).value();
  EXPECT_EQ(prices.all().size(), 7u);
  EXPECT_EQ(base_of(prices, "openai", "gpt-flagship"), "2.5/0.25/-/15/- from 272001 5/0.25/-/22.5/-");
  const auto flagship = prices.find("openai", "gpt-flagship", kNow).value();
  // Above the length a tier without a price of its own there pays the default tier's.
  EXPECT_EQ(text_of(std::get<PriceTable>(flagship->sheet->tiers.at(ServiceTier::kPriority))),
            "5/0.25/-/30/- from 272001 5/0.25/-/22.5/-");
  EXPECT_EQ(text_of(std::get<PriceTable>(flagship->sheet->tiers.at(ServiceTier::kBatch))),
            "1.25/0.13/-/7.5/- from 272001 5/0.13/-/22.5/-");
  EXPECT_EQ(flagship->other, (std::vector<std::pair<std::string, std::string>>{
                                 {"cache_creation_input_token_cost_above_1hr", "6e-06"},
                                 {"input_cost_per_token_ultrafast", "1e-05"},
                                 {"search_context_cost_per_query.search_context_size_high", "0.01"}}));
}

TEST(PriceImport, ReadsRangesAndTheProvidersOwnBoundary) {
  const auto prices = read_reference_prices(kLiteLlm).value();
  EXPECT_EQ(base_of(prices, "dashscope", "dashscope/qwen-plus"), "0.4/-/-/1.2/4 from 256001 1.2/-/-/3.6/12");
  EXPECT_EQ(base_of(prices, "dashscope", "qwen-plus"), base_of(prices, "dashscope", "dashscope/qwen-plus"));
  EXPECT_EQ(
      prices.find("dashscope", "qwen-plus", kNow).value()->other,
      (std::vector<std::pair<std::string, std::string>>{{"off_peak_pricing.input_cost_per_token", "2e-07"}}));
  EXPECT_EQ(base_of(prices, "xai", "grok"), "0.2/-/-/0.5/- from 128000 0.4/-/-/0.5/-");
}

TEST(PriceImport, KeepsEveryDigitThatIsWritten) {
  const auto prices = read_reference_prices(kLiteLlm).value();
  EXPECT_EQ(base_of(prices, "openai", "embedding-small"), "0.029999999999999997/-/-/0/-");
  const auto sheet = prices.find("openai", "embedding-small", kNow).value()->sheet.value();
  EXPECT_EQ(resolve(sheet, {}, kNow).value()[0].rows[0].units.input_fresh.pico(), 30'000);
}

TEST(PriceImport, AnEntryThatCannotBeReadSpoilsNoOther) {
  const auto prices = read_reference_prices(kLiteLlm).value();
  EXPECT_EQ(prices.find("openai", "painter", kNow).value()->sheet.error().code, ErrorCode::kUnsupported);
  const auto broken = prices.find("openai", "broken", kNow).value()->sheet.error();
  EXPECT_EQ(broken.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(broken.param, "input_cost_per_token");
  EXPECT_EQ(prices.find("openai", "absurd", kNow).value()->sheet.error().code, ErrorCode::kInvalidArgument);
}

TEST(PriceImport, SaysWhatTheListHasInstead) {
  const auto prices = read_reference_prices(kLiteLlm).value();
  const auto no_provider = prices.find("open-ai", "gpt-flagship", kNow);
  ASSERT_FALSE(no_provider);
  EXPECT_EQ(no_provider.error().code, ErrorCode::kNotFound);
  EXPECT_NE(no_provider.error().message.find("dashscope, openai, xai"), std::string::npos);
  const auto no_model = prices.find("openai", "flag", kNow);
  ASSERT_FALSE(no_model);
  EXPECT_NE(no_model.error().message.find("gpt-flagship"), std::string::npos);
}

TEST(PriceImport, RefusesWhatIsNoListAtAll) {
  for (const char* text : {"", "3", "\"list\"", "[3]", "[{}]", R"([{"id":"x"}])",
                           R"([{"id":"x","models":[{}]}])", "{\"a\":1e999}"}) {
    const auto prices = read_reference_prices(text);
    ASSERT_FALSE(prices) << text;
    EXPECT_EQ(prices.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace feilun::pricing
