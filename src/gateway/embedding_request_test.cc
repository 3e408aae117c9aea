#include "gateway/embedding_request.h"

#include <gtest/gtest.h>

namespace feilun::gateway {
namespace {

using Tokens = std::vector<engine::TokenId>;

Result<EmbeddingRequest> parse_with(std::string_view fields) {
  return parse_embedding_request(fmt::format(R"({{"model":"m",{}}})", fields));
}

std::string many(std::string_view item, size_t count) {
  std::string list = "[";
  for (size_t i = 0; i < count; ++i) list += fmt::format("{}{}", i == 0 ? "" : ",", item);
  return list + "]";
}

TEST(EmbeddingRequest, TakesEveryShapeOfInput) {
  const auto one = parse_with(R"("input":"a")");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->model, "m");
  EXPECT_EQ(one->inputs, std::vector<TextOrTokens>{"a"});
  EXPECT_FALSE(one->base64);
  EXPECT_FALSE(one->dimensions);
  EXPECT_EQ(parse_with(R"("input":["a","b"])")->inputs, (std::vector<TextOrTokens>{"a", "b"}));
  EXPECT_EQ(parse_with(R"("input":[1,2])")->inputs, std::vector<TextOrTokens>{(Tokens{1, 2})});
  EXPECT_EQ(parse_with(R"("input":[[1],[2,3]])")->inputs,
            (std::vector<TextOrTokens>{Tokens{1}, Tokens{2, 3}}));
  EXPECT_EQ(parse_with(fmt::format(R"("input":{})", many(R"("a")", 2048)))->inputs.size(), 2048u);
}

TEST(EmbeddingRequest, TakesFormatDimensionsAndUser) {
  const auto parsed =
      parse_with(R"("input":"a","encoding_format":"base64","dimensions":8,"user":"u","x":{})");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->base64);
  EXPECT_EQ(parsed->dimensions, 8);
  EXPECT_FALSE(parse_with(R"("input":"a","encoding_format":"float")")->base64);
  EXPECT_FALSE(parse_with(R"("input":"a","encoding_format":null,"dimensions":null)")->dimensions);
}

struct Refused {
  std::string body;
  std::string param;
};

TEST(EmbeddingRequest, NamesTheFieldAtFault) {
  const auto with = [](std::string_view fields) { return fmt::format(R"({{"model":"m",{}}})", fields); };
  const Refused table[] = {
      {"", ""},
      {"[]", ""},
      {R"({"input":"a"})", "model"},
      {R"({"model":"","input":"a"})", "model"},
      {R"({"model":5,"input":"a"})", "model"},
      {R"({"model":"m"})", "input"},
      {with(R"("input":null)"), "input"},
      {with(R"("input":"")"), "input"},
      {with(R"("input":[])"), "input"},
      {with(R"("input":[""])"), "input"},
      {with(R"("input":["a",""])"), "input[1]"},
      {with(R"("input":["a",5])"), "input[1]"},
      {with(R"("input":["a",null])"), "input[1]"},
      {with(R"("input":[["a"]])"), "input[0]"},
      {with(R"("input":[[1],[]])"), "input[1]"},
      {with(R"("input":[1,"a"])"), "input"},
      {with(R"("input":[1.5])"), "input[0]"},
      {with(R"("input":[-1])"), "input"},
      {with(R"("input":[2147483648])"), "input"},
      {with(R"("input":{"text":"a"})"), "input"},
      {with(R"("input":true)"), "input"},
      {with(fmt::format(R"("input":{})", many(R"("a")", 2049))), "input"},
      {with(R"("input":"a","encoding_format":"int8")"), "encoding_format"},
      {with(R"("input":"a","encoding_format":1)"), "encoding_format"},
      {with(R"("input":"a","dimensions":0)"), "dimensions"},
      {with(R"("input":"a","dimensions":-4)"), "dimensions"},
      {with(R"("input":"a","dimensions":1.5)"), "dimensions"},
      {with(R"("input":"a","dimensions":"8")"), "dimensions"},
      {with(R"("input":"a","dimensions":99999999999)"), "dimensions"},
      {with(R"("input":"a","user":7)"), "user"},
  };
  for (const Refused& refused : table) {
    const auto parsed = parse_embedding_request(refused.body);
    ASSERT_FALSE(parsed) << refused.body.substr(0, 100);
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << refused.body.substr(0, 100);
    EXPECT_EQ(parsed.error().param, refused.param) << refused.body.substr(0, 100);
  }
}

}  // namespace
}  // namespace feilun::gateway
