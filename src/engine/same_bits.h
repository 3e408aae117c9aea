#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "engine/generation_log.h"

namespace feilun::engine {

/// Two generations brought the same: tokens, text, and logprobs to the bit.
inline void expect_bits(const GenerationLog& log, const GenerationLog& alone, const std::string& what) {
  ASSERT_EQ(ids_of(log), ids_of(alone)) << what;
  EXPECT_EQ(log.text, alone.text) << what;
  for (size_t i = 0; i < log.tokens.size(); ++i) {
    const GeneratedToken& a = log.tokens[i];
    const GeneratedToken& b = alone.tokens[i];
    ASSERT_EQ(std::memcmp(&a.logprob, &b.logprob, sizeof(float)), 0) << what << ", token " << i;
    ASSERT_EQ(a.top.size(), b.top.size());
    for (size_t n = 0; n < a.top.size(); ++n) {
      ASSERT_EQ(a.top[n].id, b.top[n].id) << what;
      ASSERT_EQ(std::memcmp(&a.top[n].logprob, &b.top[n].logprob, sizeof(float)), 0) << what;
    }
  }
}

}  // namespace feilun::engine
