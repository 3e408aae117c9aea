#pragma once

/// The rules for which the rules file has a sentence but no requirement. Most can be checked against what the
/// export was made of: each check here is given the rows as read back and the charges, prices and invoices
/// behind them, and says what is wrong, or nothing. For the others a table gives the reason why no export can
/// show that they hold.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/currency.h"
#include "ledger/focus.h"
#include "ledger/focus_fixture.h"
#include "ledger/focus_table.h"

namespace feilun::ledger::focus_rules {

/// Row i of the table is charge i of the sample.
struct Export {
  const FocusSample& sample;
  const Table& table;
};

struct Row {
  const Export& all;
  size_t index;
  const FocusCharge& charge;

  const std::optional<std::string>& operator[](std::string_view column) const {
    return all.table.at(index, column);
  }
  bool is(std::string_view column, std::string_view value) const {
    return (*this)[column] == std::string(value);
  }
  bool same(std::string_view column, std::string_view text) const {
    return (*this)[column].value_or("") == text && (*this)[column].has_value() == !text.empty();
  }
  /// The number of a cell; zero for null and for what is no number, which other rules refuse.
  Money amount(std::string_view column) const {
    return Money::parse((*this)[column].value_or("0")).value_or(Money());
  }
};

/// "" when `holds` is true of every row, else the first where it is not.
template <typename Holds>
std::string each_row(const Export& all, Holds holds) {
  if (all.table.rows.size() != all.sample.charges.size()) return "rows were lost";
  for (size_t i = 0; i < all.table.rows.size(); ++i) {
    if (!holds(Row{all, i, all.sample.charges[i]})) return fmt::format("row {}", i + 1);
  }
  return "";
}

/// "" when each value of `column` comes with one value of `other` only; null is a value of `other`.
inline std::string one_for_each(const Export& all, std::string_view column, std::string_view other) {
  std::map<std::string, std::optional<std::string>> seen;
  return each_row(all, [&](const Row& row) {
    return !row[column] || seen.emplace(*row[column], row[other]).first->second == row[other];
  });
}

template <typename Holds>
std::string each_cell(const Export& all, FocusColumn::Type type, Holds holds) {
  for (const FocusColumn& column : focus_columns()) {
    const auto wrong = each_row(all, [&](const Row& row) {
      const auto& cell = row[column.name];
      return column.type != type || !cell || holds(*cell);
    });
    if (!wrong.empty()) return fmt::format("{} in {}", column.name, wrong);
  }
  return "";
}

inline bool is_priced(const Row& row) {
  return row.is("ChargeCategory", "Usage") || row.is("ChargeCategory", "Purchase");
}

inline bool is_part(const Row& row, FocusCommitment::Part part) {
  return row.charge.commitment && row.charge.commitment->part == part;
}

// Formats.

inline std::string times_are_utc(const Export& all) {
  return each_cell(all, FocusColumn::Type::kDateTime, is_date_time);
}

inline std::string numbers_are_plain(const Export& all) {
  return each_cell(all, FocusColumn::Type::kDecimal, [](const std::string& cell) {
    return parse_decimal(cell).has_value() && cell.find_first_not_of("-.0123456789") == cell.npos;
  });
}

inline std::string texts_are_unicode(const Export& all) {
  return each_cell(all, FocusColumn::Type::kString, is_text);
}

/// Among them are texts with quotes, commas, a leading equals sign and several scripts.
inline std::string texts_are_unaltered(const Export& all) {
  return each_row(all, [](const Row& row) {
    const FocusCharge& charge = row.charge;
    return row.same("BillingAccountName", charge.organisation_name) &&
           row.same("SubAccountName", charge.project_name) && row.same("InvoiceId", charge.invoice_number);
  });
}

inline std::string nulls_are_null(const Export& all) {
  static const std::set<std::string, std::less<>> kPlaceholders = {
      "", "-", "NULL", "null", "None", "none", "N/A", "n/a", "Not Applicable", "Unknown"};
  for (const std::string& column : all.table.columns) {
    const auto wrong = each_row(all, [&](const Row& row) {
      const auto& cell = row[column];
      return !cell || (!kPlaceholders.contains(*cell) && cell->find_first_not_of(' ') != cell->npos);
    });
    if (!wrong.empty()) return fmt::format("{} in {}", column, wrong);
  }
  return "";
}

inline std::string columns_are_named(const Export& all) {
  bool custom_began = false;
  for (std::string_view column : all.table.columns) {
    const bool custom = column.starts_with("x_");
    if (custom_began && !custom) return fmt::format("{} is behind our own columns", column);
    custom_began = custom;
    if (custom) column.remove_prefix(2);
    const bool pascal = !column.empty() && column[0] >= 'A' && column[0] <= 'Z';
    const bool plain = std::ranges::all_of(column, [](unsigned char c) { return std::isalnum(c) != 0; });
    if (!pascal || !plain || column.size() > 50) return fmt::format("{} is no column's name", column);
  }
  return custom_began ? "" : "our own columns are missing";
}

inline std::string units_are_units(const Export& all) {
  for (const char* column : {"ConsumedUnit", "PricingUnit", "CommitmentDiscountUnit"}) {
    const auto wrong = each_row(all, [&](const Row& row) {
      const auto& unit = row[column];
      return !unit || unit == "Tokens" || unit == "1000000 Tokens" || unit == "Units" ||
             unit == row.charge.currency;
    });
    if (!wrong.empty()) return fmt::format("{} in {}", column, wrong);
  }
  return "";
}

inline std::string currencies_are_codes(const Export& all) {
  return each_row(all, [](const Row& row) {
    return minor_digits(row["BillingCurrency"].value_or("")) &&
           minor_digits(row["PricingCurrency"].value_or(""));
  });
}

inline std::string details_are_key_values(const Export& all) {
  return each_row(all, [](const Row& row) {
    const auto& cell = row["SkuPriceDetails"];
    return !cell || read_key_values(*cell).has_value();
  });
}

// Amounts.

inline std::string amounts_are_the_charges(const Export& all) {
  return each_row(all, [](const Row& row) {
    const FocusCharge& charge = row.charge;
    const bool priced = is_priced(row);
    const Money list = charge.list_unit * charge.quantity, unit = charge.contracted_unit * charge.quantity;
    return row.same("BillingCurrency", charge.currency) && row.amount("BilledCost") == charge.billed &&
           row.amount("ListCost") == (priced ? list : charge.list_cost.value_or(charge.billed)) &&
           row.amount("ContractedCost") == (priced ? unit : charge.contracted_cost.value_or(charge.billed));
  });
}

inline std::string unit_prices_are_the_charges(const Export& all) {
  return each_row(all, [](const Row& row) {
    if (!is_priced(row)) return !row["ListUnitPrice"] && !row["ContractedUnitPrice"];
    const TokenCount per = row["PricingUnit"] == "1000000 Tokens" ? 1'000'000 : 1;
    return row.amount("ListUnitPrice") == row.charge.list_unit * per &&
           row.amount("ContractedUnitPrice") == row.charge.contracted_unit * per;
  });
}

inline std::string prices_of_another_currency(const Export& all) {
  return each_row(all, [](const Row& row) {
    const auto& pricing = row.charge.pricing;
    if (!pricing) {
      return row["PricingCurrency"] == row["BillingCurrency"] &&
             row["PricingCurrencyListUnitPrice"] == row["ListUnitPrice"] &&
             row["PricingCurrencyContractedUnitPrice"] == row["ContractedUnitPrice"] &&
             row["PricingCurrencyEffectiveCost"] == row["EffectiveCost"];
    }
    return row.same("PricingCurrency", pricing->currency) &&
           row.amount("PricingCurrencyListUnitPrice") == pricing->list_unit * 1'000'000 &&
           row.amount("PricingCurrencyContractedUnitPrice") == pricing->contracted_unit * 1'000'000 &&
           row.amount("PricingCurrencyEffectiveCost") == pricing->effective;
  });
}

/// The contracted price in the pricing currency, for which the file has sentences only.
inline std::string contracted_price_in_pricing_currency(const Export& all) {
  return each_row(all, [](const Row& row) {
    const auto& price = row["PricingCurrencyContractedUnitPrice"];
    if (!is_priced(row)) return !price;
    return price && parse_decimal(*price) && !row.amount("PricingCurrencyContractedUnitPrice").is_negative();
  });
}

inline std::string products_match(const Export& all) {
  return each_row(all, [](const Row& row) {
    const auto quantity = parse_decimal(row["PricingQuantity"].value_or("0"));
    for (const auto& [unit, cost] :
         {std::pair{"ListUnitPrice", "ListCost"}, {"ContractedUnitPrice", "ContractedCost"}}) {
      if (!row[unit]) continue;
      const auto price = parse_decimal(*row[unit]), whole = parse_decimal(row[cost].value_or(""));
      if (!quantity || !price || !whole || product(*price, *quantity) != whole) return false;
    }
    return true;
  });
}

/// A credit or an adjustment costs the same by every measure.
inline std::string lone_amounts_are_equal(const Export& all) {
  return each_row(all, [](const Row& row) {
    if (is_priced(row) || row.is("ChargeCategory", "Tax")) return true;
    return row["ListCost"] == row["BilledCost"] && row["ContractedCost"] == row["BilledCost"] &&
           row["EffectiveCost"] == row["BilledCost"];
  });
}

/// Each tax is its rate, as its description says it, of what the invoice's other rows sum to.
inline std::string taxes_are_of_the_charges(const Export& all) {
  static constexpr const char* kCosts[] = {"ListCost", "ContractedCost", "EffectiveCost"};
  std::map<std::string, std::map<std::string, Money>> sums;
  auto wrong = each_row(all, [&](const Row& row) {
    const bool rounding = row["ChargeDescription"].value_or("").starts_with("Rounding");
    if (row.is("ChargeCategory", "Tax") || rounding) return true;
    for (const char* cost : kCosts) sums[row["InvoiceId"].value_or("")][cost] += row.amount(cost);
    return true;
  });
  if (!wrong.empty()) return wrong;
  return each_row(all, [&](const Row& row) {
    if (!row.is("ChargeCategory", "Tax")) return true;
    const std::string text = row["ChargeDescription"].value_or("");
    const size_t space = text.rfind(' ');
    const Money percent = Money::parse(text.substr(space + 1, text.size() - space - 2)).value_or(Money());
    const Money coin = smallest_unit(minor_digits(row["BillingCurrency"].value_or("")).value_or(2));
    return std::ranges::all_of(kCosts, [&](const char* cost) {
      // A whole number of coins, and at most half of one from the exact tax.
      const Money base = round_to(sums[row["InvoiceId"].value_or("")][cost], coin);
      const int128 exact = base.pico() / 10'000 * (percent.pico() / 10'000'000'000);
      const int128 off = row.amount(cost).pico() - exact;
      return row.amount(cost).pico() % coin.pico() == 0 && 2 * (off < 0 ? -off : off) <= coin.pico();
    });
  });
}

inline std::string invoices_sum_to_their_totals(const Export& all) {
  std::map<std::string, Money> sums;
  std::map<std::string, std::string> accounts;
  auto wrong = each_row(all, [&](const Row& row) {
    const std::string id = row["InvoiceId"].value_or("");
    sums[id] += row.amount("BilledCost");
    return id.empty() || accounts.emplace(id, row["BillingAccountId"].value_or("")).first->second ==
                             row["BillingAccountId"].value_or("");
  });
  for (const Invoice& invoice : all.sample.invoices) {
    if (sums[invoice.facts.number] != invoice.total) wrong += "sum of " + invoice.facts.number;
    if (accounts[invoice.facts.number] != "wallets/" + invoice.facts.organisation_id)
      wrong += "account of an invoice";
  }
  return wrong;
}

inline std::string currency_is_the_invoices(const Export& all) {
  std::map<std::string, std::string> currencies;
  for (const Invoice& invoice : all.sample.invoices)
    currencies[invoice.facts.number] = invoice.facts.currency;
  return each_row(all, [&](const Row& row) {
    return !row["InvoiceId"] || currencies[*row["InvoiceId"]] == row["BillingCurrency"];
  });
}

// Periods and classes.

inline std::string periods_are_the_charges(const Export& all) {
  return each_row(all, [](const Row& row) {
    const FocusCharge& charge = row.charge;
    const auto shows = [&](const char* column, WallTime time) { return row.same(column, to_iso8601(time)); };
    return shows("BillingPeriodStart", charge.billing_period.from) &&
           shows("BillingPeriodEnd", charge.billing_period.until) &&
           shows("ChargePeriodStart", charge.charge_period.from) &&
           shows("ChargePeriodEnd", charge.charge_period.until) &&
           *row["ChargePeriodStart"] < *row["ChargePeriodEnd"] &&
           (charge.corrects_invoiced || (*row["BillingPeriodStart"] <= *row["ChargePeriodStart"] &&
                                         *row["ChargePeriodEnd"] <= *row["BillingPeriodEnd"]));
  });
}

inline std::string corrections_are_of_invoiced_periods(const Export& all) {
  return each_row(all, [](const Row& row) {
    const bool earlier = row.charge.charge_period.from < row.charge.billing_period.from;
    return row["ChargeClass"].has_value() == earlier;
  });
}

inline std::string accounts_are_the_charges(const Export& all) {
  const auto wrong = each_row(all, [](const Row& row) {
    const std::string& project = row.charge.project_id;
    return row["SubAccountId"].has_value() == !project.empty() &&
           row["SubAccountId"].value_or("").ends_with(project);
  });
  return wrong + one_for_each(all, "BillingAccountId", "BillingAccountName");
}

/// Each id begins with the whole id of what it is in.
inline std::string ids_are_paths(const Export& all) {
  return each_row(all, [](const Row& row) {
    const FocusCharge& charge = row.charge;
    const std::string wallet = "wallets/" + charge.organisation_id;
    const std::string project = wallet + "/projects/" + charge.project_id;
    const std::string lot = charge.commitment ? wallet + "/lots/" + charge.commitment->id : "";
    const bool itself = charge.commitment && charge.commitment->part != FocusCommitment::Part::kUsed;
    const std::string key = charge.key_id.empty() ? "" : project + "/api_keys/" + charge.key_id;
    return row.same("BillingAccountId", wallet) &&
           row.same("SubAccountId", charge.project_id.empty() ? "" : project) &&
           row.same("CommitmentDiscountId", lot) && row.same("ResourceId", itself ? lot : key);
  });
}

// Prices and resources.

inline std::string skus_are_consistent(const Export& all) {
  std::string wrong = one_for_each(all, "SkuId", "SkuMeter");
  std::map<std::string, std::string> skus;
  return wrong + each_row(all, [&](const Row& row) {
           if (!is_priced(row)) return !row["SkuId"] && !row["SkuPriceId"];
           if (!row["SkuId"] || !row["SkuPriceId"] || !row["ServiceName"]) return false;
           const std::string what = row.charge.offering + "\n" + row.charge.token_class;
           return skus.emplace(what, *row["SkuId"]).first->second == *row["SkuId"];
         });
}

inline std::string sku_prices_are_consistent(const Export& all) {
  return one_for_each(all, "SkuPriceId", "ListUnitPrice") + one_for_each(all, "SkuPriceId", "PricingUnit") +
         one_for_each(all, "SkuPriceId", "SkuPriceDetails") + one_for_each(all, "SkuPriceId", "x_TokenClass");
}

/// Takes the id apart as the document says: "offering/class/tier@version.row".
inline std::string sku_prices_are_looked_up(const Export& all) {
  return each_row(all, [&](const Row& row) {
    if (!row["SkuPriceId"]) return true;
    const std::string& id = *row["SkuPriceId"];
    const std::string after = id.substr(id.find('@') + 1);
    if (row.charge.token_class.empty()) {
      const auto product = all.sample.products.find(row.charge.offering);
      return product != all.sample.products.end() && after == fmt::format("{}", product->second);
    }
    const auto list = all.sample.prices.find(std::atoi(after.c_str()));
    const auto charged = all.sample.prices.find(std::atoi(row["x_PriceId"].value_or("0").c_str()));
    const auto index = static_cast<size_t>(std::atoi(after.substr(after.find('.') + 1).c_str()));
    const auto token_class = std::ranges::find(FocusSampleMaker::kClasses, row["x_TokenClass"].value_or(""));
    if (list == all.sample.prices.end() || charged == all.sample.prices.end() ||
        index >= list->second.rows.size() || token_class == std::end(FocusSampleMaker::kClasses)) {
      return false;
    }
    const auto unit = [&](const pricing::PriceVersion& price) {
      const auto place = static_cast<int>(token_class - std::begin(FocusSampleMaker::kClasses));
      return FocusSampleMaker::unit(price, index, place) * 1'000'000;
    };
    const std::string begin = fmt::format("{}/{}/{}@", list->second.offering, *token_class,
                                          pricing::name_of(list->second.rows[index].tier));
    return id.starts_with(begin) && list->second.organisation.empty() &&
           row.amount("ListUnitPrice") == unit(list->second) &&
           row.amount("ContractedUnitPrice") == unit(charged->second);
  });
}

inline std::string details_say_the_price(const Export& all) {
  return each_row(all, [](const Row& row) {
    if (row.charge.token_class.empty()) return !row["SkuPriceDetails"];
    const auto& members = read_key_values(row["SkuPriceDetails"].value_or(""));
    const auto quoted = [](std::string_view text) { return fmt::format("\"{}\"", text); };
    return members == KeyValues{{"x_Offering", quoted(row.charge.offering)},
                                {"x_ServiceTier", quoted(pricing::name_of(row.charge.tier))},
                                {"x_TokenClass", quoted(row.charge.token_class)}};
  });
}

inline std::string pricing_units_are_the_lists(const Export& all) {
  return each_row(all, [](const Row& row) {
    if (!is_priced(row)) return !row["PricingUnit"];
    return row.is("PricingUnit", row.charge.token_class.empty() ? "Units" : "1000000 Tokens");
  });
}

inline std::string categories_follow_commitments(const Export& all) {
  return each_row(all, [](const Row& row) {
    if (!is_priced(row)) return !row["PricingCategory"];
    const bool committed =
        is_part(row, FocusCommitment::Part::kUsed) || is_part(row, FocusCommitment::Part::kUnused);
    return row.is("PricingCategory", committed ? "Committed" : "Standard");
  });
}

inline std::string services_have_a_category(const Export& all) {
  return each_row(all, [](const Row& row) {
    return row.is("ServiceCategory", "AI and Machine Learning") &&
           row.is("ServiceSubcategory", "Generative AI");
  });
}

inline std::string resources_are_the_charges(const Export& all) {
  const auto wrong =
      one_for_each(all, "ResourceId", "ResourceType") + one_for_each(all, "ResourceId", "ResourceName");
  return wrong + each_row(all, [](const Row& row) {
           const auto& commitment = row.charge.commitment;
           const bool itself = commitment && commitment->part != FocusCommitment::Part::kUsed;
           const std::string& last = itself ? commitment->id : row.charge.key_id;
           return row["ResourceId"].has_value() == !last.empty() &&
                  row["ResourceId"].value_or("").ends_with(last) &&
                  row.same("ResourceName", itself ? commitment->name : row.charge.key_name) &&
                  (!row["ResourceName"] || row["ResourceName"] != row["ResourceId"]);
         });
}

// Commitments.

inline std::string commitments_are_the_charges(const Export& all) {
  const auto wrong = one_for_each(all, "CommitmentDiscountId", "CommitmentDiscountName") +
                     one_for_each(all, "CommitmentDiscountId", "CommitmentDiscountType");
  return wrong + each_row(all, [](const Row& row) {
           const auto& commitment = row.charge.commitment;
           if (!commitment) return !row["CommitmentDiscountId"];
           return row["CommitmentDiscountId"].value_or("").ends_with(commitment->id) &&
                  row.same("CommitmentDiscountName", commitment->name) &&
                  row.same("CommitmentDiscountUnit", row["ChargeClass"]     ? ""
                                                     : commitment->of_spend ? row.charge.currency
                                                                            : "Tokens");
         });
}

inline Money quantity_of(const FocusCommitment& commitment) {
  return commitment.of_spend ? commitment.spend : Money::pico(int128{1'000'000'000'000}) * commitment.tokens;
}

inline std::string commitment_quantities(const Export& all) {
  return each_row(all, [](const Row& row) {
    const auto& commitment = row.charge.commitment;
    if (!commitment) return !row["CommitmentDiscountQuantity"];
    const auto& cell = row["CommitmentDiscountQuantity"];
    if (row["ChargeClass"]) return !cell;
    return cell && parse_decimal(*cell) &&
           row.amount("CommitmentDiscountQuantity") == quantity_of(*commitment);
  });
}

inline std::string purchases_are_of_themselves(const Export& all) {
  return each_row(all, [](const Row& row) {
    if (!is_part(row, FocusCommitment::Part::kBought)) return true;
    return row.is("ChargeCategory", "Purchase") && row["ResourceId"] == row["CommitmentDiscountId"] &&
           row["ResourceId"] && row.is("ChargeFrequency", "One-Time") &&
           row.amount("EffectiveCost").is_zero() && row.amount("PricingCurrencyEffectiveCost").is_zero();
  });
}

/// What a commitment pays for is billed nothing, says so on the whole row, and keeps the user's resource.
inline std::string uses_are_covered(const Export& all) {
  return each_row(all, [](const Row& row) {
    const bool used = is_part(row, FocusCommitment::Part::kUsed);
    if (row.is("CommitmentDiscountStatus", "Used") != used) return false;
    if (!used) return true;
    const Money effective = row.charge.effective.value_or(Money::pico(-1));
    return row.is("ChargeCategory", "Usage") && row.amount("BilledCost").is_zero() &&
           row["CommitmentDiscountId"] && row["ResourceId"].value_or("").ends_with(row.charge.key_id) &&
           row.amount("EffectiveCost") == effective;
  });
}

inline std::string leftovers_are_unused(const Export& all) {
  return each_row(all, [](const Row& row) {
    const bool unused = is_part(row, FocusCommitment::Part::kUnused);
    if (row.is("CommitmentDiscountStatus", "Unused") != unused) return false;
    return !unused ||
           (row.is("ChargeCategory", "Usage") && row["ResourceId"] == row["CommitmentDiscountId"] &&
            row["ResourceId"] && !row["ConsumedQuantity"]);
  });
}

/// Over a commitment's life, what was used and what was left are what was bought, in quantity and in cost.
/// The quantity of a correction is in no cell.
inline std::string commitments_add_up(const Export& all) {
  struct Sums {
    Money bought, gone, billed, used, unused, all_usage;
  };
  std::map<std::string, Sums> by_id;
  auto wrong = each_row(all, [&](const Row& row) {
    if (!row["CommitmentDiscountId"]) return true;
    Sums& sums = by_id[*row["CommitmentDiscountId"]];
    const bool purchase = row.is("ChargeCategory", "Purchase");
    (purchase ? sums.bought : sums.gone) +=
        row["ChargeClass"] ? quantity_of(*row.charge.commitment) : row.amount("CommitmentDiscountQuantity");
    if (purchase) sums.billed += row.amount("BilledCost");
    if (row.is("CommitmentDiscountStatus", "Used")) sums.used += row.amount("EffectiveCost");
    if (row.is("CommitmentDiscountStatus", "Unused")) sums.unused += row.amount("EffectiveCost");
    if (row.is("ChargeCategory", "Usage")) sums.all_usage += row.amount("EffectiveCost");
    return true;
  });
  if (by_id.size() < 3) wrong += "commitments are missing";
  for (const auto& [id, sums] : by_id) {
    if (sums.bought != sums.gone || sums.billed != sums.all_usage ||
        sums.all_usage != sums.used + sums.unused) {
      wrong += "sums of " + id;
    }
  }
  return wrong;
}

inline std::string credits_are_credits(const Export& all) {
  return each_row(all, [](const Row& row) {
    const bool credit = row.charge.category == ChargeCategory::kCredit;
    return row.is("ChargeCategory", "Credit") == credit && (!credit || !row["CommitmentDiscountId"]);
  });
}

inline std::string contracts_are_identified(const Export& all) {
  return each_row(all, [](const Row& row) {
    return row["ListUnitPrice"] == row["ContractedUnitPrice"] ||
           row.is("x_PriceId", fmt::format("{}", row.charge.price_id));
  });
}

inline std::string numbers_are_declared(const Export&) {
  for (const FocusColumn& column : focus_columns()) {
    const bool number = column.name.ends_with("Cost") || column.name.ends_with("UnitPrice") ||
                        column.name.ends_with("Quantity");
    if (number != (column.type == FocusColumn::Type::kDecimal)) return std::string(column.name);
  }
  return "";
}

struct DynamicCheck {
  std::string (*check)(const Export& all);
  std::vector<std::string> rules;
};

/// Prefixes the numbers of one rule family: {"NumericFormat-A-", {"002-M"}} → "NumericFormat-A-002-M".
inline std::vector<std::string> family(std::string_view prefix, std::vector<std::string> numbers) {
  for (std::string& number : numbers) number.insert(0, prefix);
  return numbers;
}

inline const std::vector<DynamicCheck>& dynamic_checks() {
  static const std::vector<DynamicCheck> kChecks = {
      {times_are_utc, family("DateTimeFormat-A-", {"001-M", "002-M", "004-M", "005-M", "006-M"})},
      {currencies_are_codes, {"CurrencyFormat-A-001-C"}},
      {numbers_are_plain, family("NumericFormat-A-", {"001-O", "002-M", "003-M", "004-M", "005-M", "006-M",
                                                      "007-M", "008-M", "009-M", "010-M", "011-M"})},
      {numbers_are_plain, {"ConsumedQuantity-C-008-C", "CommitmentDiscountQuantity-C-009-M"}},
      {numbers_are_declared, {"NumericFormat-A-012-M"}},
      {texts_are_unicode, {"StringHandling-A-001-M", "StringHandling-A-002-O"}},
      {texts_are_unaltered, {"StringHandling-A-003-M"}},
      {nulls_are_null, {"StringHandling-A-007-M", "NullHandling-A-001-C", "NullHandling-A-002-M"}},
      {columns_are_named,
       family("ColumnHandling-A-", {"001-M", "003-M", "005-O", "010-M", "011-O", "012-O", "013-O"})},
      {units_are_units, family("UnitFormat-A-", {"001-M", "003-M", "004-C"})},
      {details_are_key_values, family("KeyValueFormat-A-", {"001-M", "002-M", "003-M", "004-M"})},
      {details_say_the_price, family("SkuPriceDetails-C-", {"002-O", "007-M", "008-M", "009-C", "010-C",
                                                            "017-C", "018-C", "020-M", "021-M", "022-C"})},
      {sku_prices_are_consistent,
       {"SkuPriceDetails-C-013-O", "SkuPriceDetails-C-014-O", "SkuPriceDetails-C-016-O", "SkuPriceId-C-009-M",
        "SkuPriceId-C-010-M"}},
      {sku_prices_are_looked_up, family("SkuPriceId-C-", {"013-M", "014-C", "015-C"})},
      {skus_are_consistent,
       {"SkuMeter-C-006-O", "SkuId-C-008-M", "SkuId-C-009-M", "SkuId-C-010-M", "SkuId-C-011-C",
        "SkuPriceId-C-012-C"}},
      {pricing_units_are_the_lists, {"PricingUnit-C-008-M", "PricingUnit-C-009-C"}},
      {categories_follow_commitments, family("PricingCategory-C-", {"008-C", "009-C", "010-C", "011-C"})},
      {services_have_a_category, {"ServiceName-C-006-C", "ServiceName-C-009-C"}},
      {amounts_are_the_charges, {"BilledCost-C-006-M", "ListCost-C-005-M", "ContractedCost-C-005-M"}},
      {unit_prices_are_the_charges, {"ListUnitPrice-C-009-M", "ContractedUnitPrice-C-010-C"}},
      {prices_of_another_currency,
       {"PricingCurrencyListUnitPrice-C-009-M", "PricingCurrencyContractedUnitPrice-C-009-C",
        "PricingCurrencyEffectiveCost-C-006-M", "EffectiveCost-C-006-M"}},
      {contracted_price_in_pricing_currency,
       family("PricingCurrencyContractedUnitPrice-C-", {"004-C", "005-C", "008-C"})},
      {products_match, {"PricingQuantity-C-009-C", "ContractedCost-C-009-C"}},
      {lone_amounts_are_equal, {"EffectiveCost-C-010-C", "ContractedCost-C-008-C", "ListCost-C-008-C"}},
      {taxes_are_of_the_charges, {"EffectiveCost-C-009-C", "ContractedCost-C-007-C", "ListCost-C-007-C"}},
      {invoices_sum_to_their_totals, {"BilledCost-C-007-M", "InvoiceId-C-007-C"}},
      {currency_is_the_invoices, {"BillingCurrency-C-005-M"}},
      {periods_are_the_charges,
       {"BillingPeriodStart-C-004-M", "BillingPeriodEnd-C-004-M", "ChargePeriodStart-C-004-M",
        "ChargePeriodEnd-C-004-M"}},
      {corrections_are_of_invoiced_periods, {"ChargeClass-C-003-C", "ChargeClass-C-004-C"}},
      {accounts_are_the_charges,
       {"BillingAccountId-C-004-M", "SubAccountId-C-004-C", "SubAccountId-C-005-C"}},
      {ids_are_paths, {"BillingAccountId-C-005-O", "CommitmentDiscountId-C-008-C", "ResourceId-C-008-O"}},
      {resources_are_the_charges,
       {"ResourceId-C-004-C", "ResourceId-C-005-C", "ResourceId-C-007-M", "ResourceName-C-004-C",
        "ResourceName-C-005-C", "ResourceName-C-006-C"}},
      {commitments_are_the_charges,
       {"CommitmentDiscountId-C-004-C", "CommitmentDiscountId-C-005-C", "CommitmentDiscountId-C-007-M",
        "CommitmentDiscountName-C-006-C", "CommitmentDiscountUnit-C-008-M", "CommitmentDiscountUnit-C-009-M",
        "DiscountHandling-A-006-C", "DiscountHandling-A-015-C"}},
      {commitment_quantities, family("CommitmentDiscountQuantity-C-", {"011-C", "012-C", "014-C", "015-C"})},
      {purchases_are_of_themselves,
       {"DiscountHandling-A-012-C", "DiscountHandling-A-013-C", "PricingCurrencyEffectiveCost-C-005-M"}},
      {uses_are_covered,
       family("DiscountHandling-A-", {"003-C", "004-C", "009-C", "010-C", "014-C", "016-C"})},
      {leftovers_are_unused, family("DiscountHandling-A-", {"017-C", "018-C", "019-C"})},
      {commitments_add_up, {"DiscountHandling-A-011-C", "EffectiveCost-C-012-C", "EffectiveCost-C-013-C"}},
      {credits_are_credits, {"DiscountHandling-A-001-C", "DiscountHandling-A-020-C"}},
      {contracts_are_identified, {"DiscountHandling-A-007-C"}},
  };
  return kChecks;
}

struct Unchecked {
  std::string reason;
  std::vector<std::string> rules;
};

/// The rules that no export shows to hold.
inline const std::vector<Unchecked>& unchecked_rules() {
  static const std::vector<Unchecked> kUnchecked = {
      {"compares exports over time; names and ids come from journal entries, which never change",
       family("StringHandling-A-", {"004-M", "005-M", "006-M"})},
      {"asks for a data definition to be published: it is docs/formats/focus.md",
       {"NumericFormat-A-013-O", "ChargeDescription-C-004-O"}},
      {"there is no virtual currency", {"CurrencyFormat-A-002-C"}},
      {"is about the choice of words in names: FOCUS chose its own, ours are PriceId, ServiceTier, "
       "TokenClass",
       family("ColumnHandling-A-", {"002-M", "004-O", "006-M", "008-M"})},
      {"packages have no flexibility between sizes", {"CommitmentDiscountUnit-C-010-C"}},
  };
  return kUnchecked;
}

}  // namespace feilun::ledger::focus_rules
