#include "ops/rope/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ringlet {
namespace {

// The angle is a double product: relative error 2^-53, absolute position * freq * 2^-53; then one
// rounding to fp32.
TEST(RopeTest, MatchesLongDouble) {
  for (const double base : {10000.0, 600000.0, 1e7}) {
    for (const double scale : {1.0, 1.2079441541679836}) {
      for (const int64_t rotary : {2, 6, 64, 128}) {
        RopeFrequencies frequencies;
        frequencies.scale = scale;
        for (int64_t i = 0; i < rotary / 2; ++i) {
          frequencies.inv_freq.push_back(
              std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(rotary)));
        }
        for (const int64_t position : {0, 1, 63, 64, 4095, 131071, 1048575}) {
          std::vector<float> got(static_cast<size_t>(rotary), -9.0f);
          RopeAngles(frequencies, position, got);
          for (size_t i = 0; i < frequencies.inv_freq.size(); ++i) {
            const long double angle = static_cast<long double>(position) * frequencies.inv_freq[i];
            const double bound = scale * (0x1p-24 + static_cast<double>(angle) * 0x1p-52 + 0x1p-50);
            ASSERT_NEAR(got[i], static_cast<double>(std::cos(angle) * scale), bound);
            ASSERT_NEAR(got[i + frequencies.inv_freq.size()],
                        static_cast<double>(std::sin(angle) * scale), bound);
          }
        }
      }
    }
  }
}

TEST(RopeTest, PositionZeroIsTheIdentity) {
  RopeFrequencies frequencies;
  frequencies.inv_freq = {1.0, 0.5};
  std::vector<float> got(4);
  RopeAngles(frequencies, 0, got);
  EXPECT_EQ(got, (std::vector<float>{1, 1, 0, 0}));
}

TEST(RopeTest, NoRotaryDimensions) { RopeAngles(RopeFrequencies{}, 5, {}); }

}  // namespace
}  // namespace ringlet
