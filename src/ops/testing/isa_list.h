// The instruction sets an operator test runs with.
//
// Every operator test is linked twice: <op>_test with the library's kernels, and <op>_emulated_test
// with AVX-512 kernels whose intrinsics are emulated (ops/simd/emulation.h), so that they are
// tested on every machine with AVX2. A set that cannot run is a skipped test, never a silent one.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ops/context.h"

namespace ringlet::testing {

// Names of all sets that this program was built to test.
std::vector<std::string> TestIsas();

// The named set, or why this machine cannot run it.
Result<IsaChoice> ChooseTestIsa(const std::string& name);

// Parameterised by the name of the set; isa() is valid in the test's body.
class IsaTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const Result<IsaChoice> choice = ChooseTestIsa(GetParam());
    if (!choice.ok()) GTEST_SKIP() << choice.status().message();
    isa_ = choice.value();
  }
  IsaChoice isa() const { return isa_; }

 private:
  IsaChoice isa_ = IsaChoice::Detect();
};

#define RINGLET_INSTANTIATE_ISAS(Suite)                                \
  INSTANTIATE_TEST_SUITE_P(                                            \
      Isa, Suite, ::testing::ValuesIn(::ringlet::testing::TestIsas()), \
      [](const ::testing::TestParamInfo<std::string>& parameter) { return parameter.param; })

}  // namespace ringlet::testing
