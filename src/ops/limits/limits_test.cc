#include "ops/limits/limits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "ops/limits/limits_kernels.h"
#include "ops/testing/isa_list.h"

namespace ringlet {
namespace {

class LimitKernelTest : public testing::IsaTest {
 protected:
  const LimitKernels& kernels() const { return SelectKernels(LimitTables(), isa()); }
};

// What a chain returns shows that every step was computed.
TEST_P(LimitKernelTest, ChainsDoTheirWork) {
  const int lanes = static_cast<int>(kernels().fp32.ops_per_round / 2);
  // a <- 0.999 a + 0.999 from 0: 0.999 after one round, 1.997 after two.
  EXPECT_FLOAT_EQ(kernels().fp32.run(1), 0.999f * static_cast<float>(lanes));
  EXPECT_FLOAT_EQ(kernels().fp32.run(2), 0.999f * 1.999f * static_cast<float>(lanes));
  if (kernels().bf16.run != nullptr) {
    // Every operation pair adds 1 * 1.
    const auto products = static_cast<float>(kernels().bf16.ops_per_round / 2);
    EXPECT_FLOAT_EQ(kernels().bf16.run(7), 7 * products);
  }
  if (kernels().int8.run != nullptr) {
    // Every product is 1 * 1. AVX2 and NEON add them up in 16 bits, two of which make one of 32.
    const std::string_view name = kernels().name;
    const bool pairs = name == "avx2" || name == "neon";
    const double sum = 7 * kernels().int8.ops_per_round / 2 / (pairs ? 2 : 1);
    EXPECT_FLOAT_EQ(kernels().int8.run(7), static_cast<float>(pairs ? sum * 65537 : sum));
  }
}

TEST_P(LimitKernelTest, ReadSeesEveryByte) {
  alignas(64) static std::byte data[4 * kReadStride];
  std::fill(std::begin(data), std::end(data), std::byte{0});
  EXPECT_EQ(kernels().read(data, sizeof(data)), 0u);
  for (size_t i = 0; i < sizeof(data); i += 7) {
    data[i] = std::byte{0x41};
    EXPECT_NE(kernels().read(data, sizeof(data)), 0u) << i;
    data[i] = std::byte{0};
  }
}

RINGLET_INSTANTIATE_ISAS(LimitKernelTest);

void ExpectPositive(const MachineRates& rates) {
  for (const double rate : {rates.read_bytes, rates.fp32_ops, rates.bf16_ops, rates.int8_ops}) {
    EXPECT_TRUE(std::isfinite(rate));
    EXPECT_GT(rate, 1e6);
  }
}

// What holds on any machine, however busy, since peaks are the best of many runs in processor time.
// A loop that stores its chains fails the first: 8-bit products should be three times as many.
void ExpectPlausible(const MachineLimits& limits) {
  const MachineRates& one = limits.one_thread;
  const MachineRates& all = limits.all_threads;
  if (limits.has_int8) {
    EXPECT_GT(one.int8_ops, 1.2 * one.fp32_ops);
  }
  for (const auto rate :
       {&MachineRates::fp32_ops, &MachineRates::bf16_ops, &MachineRates::int8_ops}) {
    // Threads may share a core's units, or its clock may fall when all run.
    EXPECT_GT(all.*rate, 0.4 * one.*rate);
    EXPECT_LT(all.*rate, 1.5 * limits.threads * one.*rate);
  }
}

TEST(LimitsTest, ArePlausible) {
  for (const char* name : {"scalar", "avx2"}) {
    const Result<IsaChoice> isa = IsaChoice::Force(name);
    if (!isa.ok()) continue;
    Context context(isa.value(), 2);
    const Result<ReadProbe> probe = ReadProbe::Create(context);
    ASSERT_TRUE(probe.ok()) << probe.status().message();
    EXPECT_GE(probe.value().bytes(), int64_t{64} << 20);
    const MachineLimits limits = MeasureLimits(context, probe.value());
    ExpectPositive(limits.one_thread);
    ExpectPositive(limits.all_threads);
    ExpectPlausible(limits);
    EXPECT_EQ(limits.threads, 2);
    EXPECT_FALSE(limits.has_bf16);
    EXPECT_EQ(limits.one_thread.bf16_ops, limits.one_thread.fp32_ops);
    EXPECT_EQ(limits.has_int8, std::string(name) == "avx2");
  }
}

}  // namespace
}  // namespace ringlet
