#include "base/status.h"

#include <memory>

#include <gtest/gtest.h>

namespace ringlet {
namespace {

TEST(Status, CarriesCodeMessageAndContext) {
  EXPECT_TRUE(Status::Ok().ok());
  const Status status(StatusCode::kNotFound, "no such key");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.WithContext("config.json").message(), "config.json: no such key");
  EXPECT_EQ(status.WithContext("config.json").code(), StatusCode::kNotFound);
  EXPECT_TRUE(Status::Ok().WithContext("x").ok());
  EXPECT_EQ(StatusCodeName(StatusCode::kNotFound), "not found");
}

TEST(Status, BadInputNamesSourceFieldFoundAndExpected) {
  EXPECT_EQ(BadInput("a.json", "size", "7", "8").message(), "a.json: size: found 7, expected 8");
  EXPECT_EQ(BadInput("a.json", "", "[]", "{}").message(), "a.json: found [], expected {}");
  EXPECT_EQ(BadInput("a", "b", "c", "d").code(), StatusCode::kInvalidInput);
}

Result<int> Half(int value) {
  if (value % 2 != 0) return BadInput("test", "value", "an odd number", "an even one");
  return value / 2;
}

Result<int> Quarter(int value) {
  RINGLET_ASSIGN_OR_RETURN(const int half, Half(value));
  RINGLET_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status Check(int value) {
  RINGLET_RETURN_IF_ERROR(Half(value).status());
  return Status::Ok();
}

TEST(Result, ValueOrError) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_FALSE(Quarter(6).ok());
  EXPECT_FALSE(Quarter(3).ok());
  EXPECT_TRUE(Check(2).ok());
  EXPECT_EQ(Check(1).message(), "test: value: found an odd number, expected an even one");
}

TEST(Result, HoldsTypesThatOnlyMove) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(ResultDeathTest, ValueOfAnErrorIsAProgrammerError) {
  EXPECT_DEATH(static_cast<void>(Half(1).value()), "odd number");
  EXPECT_DEATH(static_cast<void>(Result<int>{Status::Ok()}), "a Result needs a value or an error");
}

}  // namespace
}  // namespace ringlet
