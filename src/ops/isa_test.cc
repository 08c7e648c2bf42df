#include "ops/isa.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/cpu_features.h"
#include "ops/testing/isa_list.h"

namespace ringlet {
namespace {

class IsaTest : public testing::IsaTest {};

// The set that operators run which have no table for `name`.
std::string Below(const std::string& name) {
  return name == "neon_dotprod" ? "neon" : "avx512_vnni";
}

// The best table at or below the forced set is the one that runs.
TEST_P(IsaTest, ForcedSetIsTheOneThatRuns) {
  const std::vector<OpChoice> choices = OpChoices(isa());
  ASSERT_GE(choices.size(), 6u);
  for (const OpChoice& choice : choices) {
    const bool own = std::find(choice.compiled.begin(), choice.compiled.end(), GetParam()) !=
                     choice.compiled.end();
    EXPECT_EQ(choice.chosen, own ? GetParam() : Below(GetParam())) << choice.op;
  }
  // Only gemm has kernels that need products of narrow numbers.
  for (const OpChoice& choice : choices) {
    if (choice.op == "gemm") {
      EXPECT_EQ(choice.chosen, GetParam());
    }
  }
}

RINGLET_INSTANTIATE_ISAS(IsaTest);

TEST(IsaChoiceTest, UnknownNameIsAnError) {
  for (const std::string_view name : {"", "avx", "AVX2", "avx512", "sse2", "avx2 "}) {
    const Result<IsaChoice> choice = IsaChoice::Force(name);
    ASSERT_FALSE(choice.ok()) << name;
    EXPECT_EQ(choice.status().code(), StatusCode::kInvalidInput);
    EXPECT_NE(choice.status().message().find("\"" + std::string(name) + "\""), std::string::npos);
    EXPECT_NE(choice.status().message().find("avx2"), std::string::npos);
    EXPECT_NE(choice.status().message().find("scalar"), std::string::npos);
  }
}

TEST(IsaChoiceTest, UnavailableSetIsAnError) {
  for (const IsaLevel& level : IsaLevels()) {
    const Result<IsaChoice> none = IsaChoice::Force(level.name, 0);
    EXPECT_EQ(none.ok(), level.required == 0) << level.name;
    if (!none.ok()) {
      EXPECT_EQ(none.status().code(), StatusCode::kUnsupported);
      EXPECT_NE(none.status().message().find(level.name), std::string::npos);
    }
    // One missing bit is enough.
    for (uint32_t bit = 1; bit != 0 && bit <= level.required; bit <<= 1) {
      if ((level.required & bit) == 0) continue;
      EXPECT_FALSE(IsaChoice::Force(level.name, ~bit).ok()) << level.name << " without " << bit;
    }
    EXPECT_TRUE(IsaChoice::Force(level.name, level.required).ok()) << level.name;
  }
}

TEST(IsaChoiceTest, ScalarAlwaysRunsAndDetectIsTheBest) {
  const Result<IsaChoice> scalar = IsaChoice::Force("scalar");
  ASSERT_TRUE(scalar.ok());
  for (const OpChoice& choice : OpChoices(*scalar)) {
    EXPECT_EQ(choice.chosen, "scalar") << choice.op;
    EXPECT_EQ(choice.compiled.back(), "scalar") << choice.op;
  }
  for (const IsaLevel& level : IsaLevels()) {
    const Result<IsaChoice> best = IsaChoice::Force(level.name);
    if (!best.ok()) continue;
    const std::vector<OpChoice> detected = OpChoices(IsaChoice::Detect());
    const std::vector<OpChoice> forced = OpChoices(*best);
    for (size_t i = 0; i < detected.size(); ++i) {
      EXPECT_EQ(detected[i].chosen, forced[i].chosen) << detected[i].op;
    }
    break;  // levels are listed best first
  }
}

}  // namespace
}  // namespace ringlet
