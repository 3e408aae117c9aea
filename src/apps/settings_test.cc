#include "apps/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/temporary_directory.h"

namespace feilun::apps {
namespace {

class SettingsTest : public testing::Test {
 protected:
  void TearDown() override {
    unsetenv("FEILUN_CTX");
    unsetenv("FEILUN_MODEL");
  }
  void write_file(const std::string& text) { std::ofstream(directory_.path() / "feilun.toml") << text; }
  Result<Settings> load(GivenFlags flags = {}) {
    flags["data"] = {directory_.path().string()};
    return load_settings(flags, std::nullopt);
  }
  TemporaryDirectory directory_;
};

TEST_F(SettingsTest, NeedsNothingToStart) {
  const Settings settings = load().value();
  EXPECT_EQ(settings.listen, "127.0.0.1:8080");
  EXPECT_TRUE(settings.models.empty());
}

TEST_F(SettingsTest, FlagWinsOverEnvironmentOverFile) {
  write_file("ctx = 100\n");
  EXPECT_EQ(load().value().engine.context, 100);
  setenv("FEILUN_CTX", "200", 1);
  EXPECT_EQ(load().value().engine.context, 200);
  EXPECT_EQ(load({{"ctx", {"300"}}}).value().engine.context, 300);
}

TEST_F(SettingsTest, ReadsSeveralModelsFromEachSource) {
  write_file("kv_memory = \"2G\"\n[model]\na = \"/x\"\nb = \"/y\"\n");
  const Settings settings = load().value();
  EXPECT_EQ(settings.models.size(), 2u);
  EXPECT_EQ(settings.engine.kv_memory_bytes, 2LL << 30);
  setenv("FEILUN_MODEL", "c=/z,d=/w", 1);
  EXPECT_EQ(load().value().models[1].first, "d");
  EXPECT_EQ(load({{"model", {"e=/v"}}}).value().models[0].second, "/v");
}

TEST_F(SettingsTest, ReadsHowRequestsAreScheduledAndCosted) {
  const Settings settings = load({{"prefix-cache", {"lru"}},
                                  {"share-prefix", {"on"}},
                                  {"speculate", {"off"}},
                                  {"priority-tier", {"on"}},
                                  {"prefill-stretch", {"2.5"}},
                                  {"max-ttft", {"1.5"}},
                                  {"machine-price", {"0.50/h"}}})
                                .value();
  EXPECT_EQ(settings.engine.prefix_cache, engine::CachePolicy::kLru);
  EXPECT_TRUE(settings.engine.share_prefixes && settings.priority_tier);
  EXPECT_FALSE(settings.engine.speculate);
  EXPECT_EQ(settings.engine.prefill_stretch, 2.5);
  EXPECT_EQ(settings.engine.first_token_within, std::chrono::milliseconds(1'500));
  EXPECT_EQ(settings.machine_price, Money::parse("0.50").value());
}

TEST_F(SettingsTest, ArchivesAfterMonthsOrNever) {
  EXPECT_EQ(load().value().archive_after, 0);
  EXPECT_EQ(load({{"archive-after", {"3"}}}).value().archive_after, 3);
  EXPECT_EQ(load({{"archive-after", {"off"}}}).value().archive_after, 0);
  EXPECT_EQ(load({{"archive-after", {"0"}}}).error().message,
            "--archive-after: '0' is not a whole number from 1 to 1200");
  const GivenFlags shared = {{"archive-after", {"3"}}, {"ledger", {"postgres:///feilun"}}};
  EXPECT_EQ(load(shared).error().code, ErrorCode::kInvalidArgument);
  GivenFlags seen_by_all = shared;
  seen_by_all["archive"] = {"/mnt/archive"};
  EXPECT_EQ(load(seen_by_all).value().archive, "/mnt/archive");
}

TEST_F(SettingsTest, NamesWhatIsWrong) {
  const auto message = [&](GivenFlags flags) { return load(std::move(flags)).error().message; };
  EXPECT_EQ(message({{"ctx", {"many"}}}), "--ctx: 'many' is not a whole number from 0 to 16777216");
  EXPECT_EQ(message({{"kv-memory", {"3X"}}}), "--kv-memory: '3X' is not a size: write it like 512M or 2G");
  EXPECT_EQ(message({{"model", {"/only/path"}}}), "--model: '/only/path' is not NAME=PATH");
  EXPECT_EQ(message({{"model", {" a=/path"}}}), "--model: the offering's name begins or ends with a blank");
  EXPECT_EQ(message({{"model", {"a*=/path"}}}),
            "--model: the offering's name 'a*' has a '*', which stands for any ending");
  EXPECT_EQ(message({{"model", {"a=1", "a=2"}}}), "--model: two models are named 'a'");
  EXPECT_EQ(message({{"share-prefix", {"yes"}}}), "--share-prefix: 'yes' is not on or off");
  EXPECT_EQ(message({{"prefix-cache", {"fifo"}}}), "--prefix-cache: 'fifo' is not one of gittins, lru, off");
  EXPECT_EQ(message({{"prefill-stretch", {"0.5"}}}),
            "--prefill-stretch: '0.5' is not a number from 1 to 1000");
  EXPECT_FALSE(load({{"prefill-stretch", {"nan"}}}));
  EXPECT_FALSE(load({{"machine-price", {"0.50"}}}));
  write_file("ctx = 1\nctxx = 2\n");
  EXPECT_NE(message({}).find("feilun.toml:2: there is no setting 'ctxx'"), std::string::npos);
  write_file("ctx = [1\n");
  EXPECT_FALSE(load());
}

TEST_F(SettingsTest, TheReferencePageIsUpToDate) {
  std::ifstream file(std::filesystem::path(FEILUN_SOURCE_DIR) / "docs/settings.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(page, settings_markdown())
      << "run: build/release/feilun serve --settings-markdown > docs/settings.md";
}

}  // namespace
}  // namespace feilun::apps
