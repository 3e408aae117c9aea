#include "scheduler/reuse_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace feilun::scheduler {
namespace {

MonoTime at(double seconds) {
  return MonoTime(std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9)));
}

/// Every second a cohort of ten thousand tokens is let go; those of `reused` traits come back after `gap`.
void teach(ReuseModel& model, const ReuseTraits& reused, const ReuseTraits& idle, int gap_s, int seconds) {
  std::vector<ReuseModel::Cohort*> waiting;
  for (int second = 0; second < seconds; ++second) {
    if (second >= gap_s) model.reuse(*waiting[static_cast<size_t>(second - gap_s)], 10'000, at(second));
    waiting.push_back(model.begin(reused, at(second)));
    model.join(*waiting.back(), 10'000);
    model.join(*model.begin(idle, at(second)), 10'000);
  }
  model.rebuild();
}

const ReuseTraits kTalk{.finish = FinishClass::kEnd};
const ReuseTraits kCut{.finish = FinishClass::kOther};

double index_of(ReuseModel& model, const ReuseTraits& traits, double since_s, double age_s) {
  ReuseModel::Cohort* cohort = model.begin(traits, at(since_s));
  model.join(*cohort, 1);
  return model.index(*cohort, at(since_s + age_s));
}

TEST(ReuseModel, KnowsNothingAtFirstAndRatesTheYoungHigher) {
  ReuseModel model;
  EXPECT_EQ(index_of(model, kTalk, 0, 1), index_of(model, kCut, 0, 1));
  EXPECT_GT(index_of(model, kTalk, 0, 1), index_of(model, kTalk, 0, 100));
}

TEST(ReuseModel, GivesTheBestRatioOfReuseToTimeOverAllTimesToGiveUp) {
  ReuseModel model;  // three percent in every bin, as nothing is known
  double best = 0, reuse = 0, time = 0, from = 0, to = 0.5;
  for (int bin = 0; bin < 30; ++bin) {
    const double alive = std::pow(0.97, bin);
    reuse += alive * 0.03;
    time += alive * (to - from) * 0.985;
    best = std::max(best, reuse / time);
    from = to;
    to *= std::sqrt(2);
  }
  EXPECT_NEAR(index_of(model, kCut, 0, 0), best, 1e-9);
  EXPECT_NEAR(index_of(model, kCut, 0, 0.5), 0.03 / (0.5 * (std::sqrt(2) - 1) * 0.985), 1e-9)
      << "where bins only grow, the best time to give up is the end of the first";
}

TEST(ReuseModel, LearnsWhichClassComesBack) {
  ReuseModel model;
  teach(model, kTalk, kCut, 5, 600);
  EXPECT_GT(index_of(model, kTalk, 600, 1), 5 * index_of(model, kCut, 600, 1));
}

TEST(ReuseModel, GivesUpOnABlockThatIsPastItsTime) {
  ReuseModel model;
  teach(model, kTalk, kCut, 5, 600);
  EXPECT_GT(index_of(model, kTalk, 600, 4), index_of(model, kTalk, 600, 1))
      << "the time of reuse comes nearer";
  EXPECT_LT(index_of(model, kTalk, 600, 30), index_of(model, kTalk, 600, 1) / 2);
}

TEST(ReuseModel, JudgesAnUnseenClassByWhatItIsNestedIn) {
  ReuseModel model;
  teach(model, kTalk, kCut, 5, 600);
  ReuseTraits tool = kTalk, end = kCut;
  tool.unseen_tokens = end.unseen_tokens = 100'000;
  EXPECT_GT(index_of(model, tool, 600, 1), 3 * index_of(model, end, 600, 1));
}

TEST(ReuseModel, LearnsTheSameFromBlocksOfAnySize) {
  ReuseModel small, large;
  for (int second = 0; second < 100; ++second) {
    ReuseModel::Cohort* cohort = small.begin(kTalk, at(second));
    for (int block = 0; block < 32; ++block) small.join(*cohort, 16);
    for (int block = 0; block < 32; ++block) small.reuse(*cohort, 16, at(second + 0.7));
    cohort = large.begin(kTalk, at(second));
    large.join(*cohort, 512);
    large.reuse(*cohort, 512, at(second + 0.7));
  }
  small.rebuild();
  large.rebuild();
  EXPECT_EQ(index_of(small, kTalk, 100, 0.1), index_of(large, kTalk, 100, 0.1));
}

TEST(ReuseModel, LooksNoFurtherThanAtWhatIsWatched) {
  ReuseModel left, stayed;
  for (int second = 0; second < 200; ++second) {
    ReuseModel::Cohort* cohort = left.begin(kTalk, at(second));
    left.join(*cohort, 10'000);
    left.leave(*cohort, 10'000);
    stayed.join(*stayed.begin(kTalk, at(second)), 10'000);
  }
  left.rebuild();
  stayed.rebuild();
  EXPECT_GT(index_of(left, kTalk, 200, 30), index_of(stayed, kTalk, 200, 30))
      << "only what stayed in sight shows that blocks of this age do not come back";
}

}  // namespace
}  // namespace feilun::scheduler
