#include "gateway/login_guard.h"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace feilun::gateway {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonoTime kStart{std::chrono::hours(1)};

TEST(LoginGuard, AnAccountHasTenAttemptsInAQuarterOfAnHourFromWhereverTheyCome) {
  LoginGuard guard;
  for (int i = 0; i < LoginGuard::kAccountAttempts; ++i) {
    EXPECT_TRUE(guard.attempt("acme/ann", std::to_string(i), kStart + seconds(i)));
  }
  const auto refused = guard.attempt("acme/ann", "elsewhere", kStart + minutes(14));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(refused.error().retry_after_s, 60);
  EXPECT_TRUE(guard.attempt("acme/bob", "elsewhere", kStart + minutes(14)));
  EXPECT_TRUE(guard.attempt("acme/ann", "elsewhere", kStart + minutes(15)));
}

TEST(LoginGuard, WhoComesInBeginsAgain) {
  LoginGuard guard;
  for (int i = 0; i < LoginGuard::kAccountAttempts; ++i) ASSERT_TRUE(guard.attempt("ann", "here", kStart));
  guard.succeeded("ann");
  EXPECT_TRUE(guard.attempt("ann", "here", kStart));
}

TEST(LoginGuard, AnAddressHasFiftyForAllAccountsAndOwningOneGivesItNoMore) {
  LoginGuard guard;
  for (int i = 0; i < LoginGuard::kAddressAttempts; ++i) {
    ASSERT_TRUE(guard.attempt("account " + std::to_string(i), "here", kStart));
  }
  guard.succeeded("account 0");
  EXPECT_EQ(guard.attempt("another", "here", kStart).error().code, ErrorCode::kRateLimited);
  EXPECT_TRUE(guard.attempt("another", "elsewhere", kStart));
}

TEST(LoginGuard, AnAddressThatIsRefusedMakesItForgetNoAccount) {
  LoginGuard guard;
  for (int i = 0; i < LoginGuard::kAccountAttempts; ++i) ASSERT_TRUE(guard.attempt("ann", "here", kStart));
  for (int i = 0; i < 10'100; ++i)
    std::ignore = guard.attempt(std::to_string(i), "there", kStart + seconds(1));
  EXPECT_FALSE(guard.attempt("ann", "elsewhere", kStart + seconds(2)));
}

TEST(LoginGuard, HasSoManyPlacesAtATime) {
  LoginGuard guard;
  std::vector<std::shared_ptr<void>> places;
  for (int i = 0; i < LoginGuard::kPlaces; ++i) places.push_back(guard.place());
  EXPECT_TRUE(places.back());
  EXPECT_FALSE(guard.place());
  places.pop_back();
  EXPECT_TRUE(guard.place());
}

TEST(LoginGuard, RemembersNoMoreThanItHasRoomFor) {
  LoginGuard guard;
  for (int i = 0; i < 10'100; ++i) {
    ASSERT_TRUE(guard.attempt(std::to_string(i), std::to_string(i), kStart + std::chrono::milliseconds(i)));
  }
}

}  // namespace
}  // namespace feilun::gateway
