#include "base/format.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "cli/progress.h"

namespace ringlet::cli {
namespace {

TEST(FormatTest, Counts) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
}

TEST(FormatTest, Bytes) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1048575), "1.0 MiB");
  EXPECT_EQ(FormatBytes(uint64_t{3} << 29), "1.5 GiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
}

TEST(FormatTest, Durations) {
  EXPECT_EQ(FormatDuration(0.04), "0.04 s");
  EXPECT_EQ(FormatDuration(9.96), "10 s");
  EXPECT_EQ(FormatDuration(59.7), "1 min 0 s");
  EXPECT_EQ(FormatDuration(3725), "1 h 2 min");
  EXPECT_EQ(FormatDuration(std::numeric_limits<double>::infinity()), "a long time");
  EXPECT_EQ(FormatDuration(std::nan("")), "a long time");
}

TEST(FormatTest, ParametersOfPublishedModels) {
  EXPECT_EQ(FormatParameters(16423281152), "16.423B");
  EXPECT_EQ(FormatParameterPart(1600804352, 16423281152), "1,600.8M");
  EXPECT_EQ(FormatParameterPart(956900000, 16423281152), "956.9M");
  EXPECT_EQ(FormatParameters(104181700000), "104.18B");
  EXPECT_EQ(FormatParameterPart(7444000000, 104181700000), "7,444M");
  EXPECT_EQ(FormatParameters(134515008), "134.52M");
  EXPECT_EQ(FormatParameterPart(134515008, 134515008), "134.52M");
  EXPECT_EQ(FormatParameters(1000), "1.0000K");
  EXPECT_EQ(FormatParameters(999999500000), "1000.0B");
}

TEST(FormatTest, ExactReadsBack) {
  for (const double value : {-0.1, 1.0 / 3, -1e-300, -12.345678901234567}) {
    EXPECT_EQ(std::stod(FormatExact(value)), value);
  }
  EXPECT_EQ(FormatExact(-std::numeric_limits<double>::infinity()), "null");
}

TEST(ProgressTest, LinesFitTheirWidth) {
  const uint64_t gib = uint64_t{1} << 30;
  EXPECT_EQ(RenderProgress("Packing", ProgressUnit::kBytes, gib, 4 * gib, 2, 100),
            "Packing  25% [=======                       ] 1.0 GiB of 4.0 GiB, 512.0 MiB/s, 6.0 s "
            "left");
  EXPECT_EQ(RenderProgress("Reading", ProgressUnit::kTokens, 10, 10, 2, 100),
            "Reading 100% [==============================] 10 of 10 tokens, 5/s");
  EXPECT_EQ(RenderProgress("Packing", ProgressUnit::kBytes, 0, 0, 0, 20), "Packing 100%");
  for (int width = 0; width < 120; ++width) {
    const std::string line =
        RenderProgress("Packing", ProgressUnit::kBytes, gib / 3, gib, 1.5, width);
    EXPECT_TRUE(static_cast<int>(line.size()) <= std::max(width, 12)) << line;
  }
}

}  // namespace
}  // namespace ringlet::cli
