#include "cli/input.h"

#include <gtest/gtest.h>

namespace ringlet::cli {
namespace {

TEST(InputTest, TokenIds) {
  const auto ids = ParseTokenIds(" [0, 5, 9]\n", "ids.json", 10);
  ASSERT_TRUE(ids.ok()) << ids.status().message();
  EXPECT_EQ(*ids, (std::vector<int32_t>{0, 5, 9}));
}

TEST(InputTest, BadTokenIdsAreNamed) {
  const auto error = [](std::string_view text) {
    return ParseTokenIds(text, "ids.json", 10).status().message();
  };
  EXPECT_EQ(error("[]"), "ids.json: found an empty array, expected at least one token id");
  EXPECT_EQ(error("{\"a\": 1}"), "ids.json: found an object, expected an array of token ids");
  EXPECT_EQ(error("[1, 10]"), "ids.json: [1]: found 10, expected a token id from 0 to 9");
  EXPECT_EQ(error("[-1]"), "ids.json: [0]: found -1, expected a token id from 0 to 9");
  EXPECT_EQ(error("[1.0]"), "ids.json: [0]: found 1.0, expected a token id from 0 to 9");
  EXPECT_EQ(error("[18446744073709551615]"),
            "ids.json: [0]: found 18446744073709551615, expected a token id from 0 to 9");
  EXPECT_EQ(error("[[1]]"), "ids.json: [0]: found [1], expected a token id from 0 to 9");
  EXPECT_NE(error("[1").find("ids.json: found bad JSON"), std::string::npos);
}

}  // namespace
}  // namespace ringlet::cli
