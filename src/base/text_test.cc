#include "base/text.h"

#include <gtest/gtest.h>

namespace ringlet {
namespace {

TEST(Quote, EscapesWhatCouldSteerATerminal) {
  EXPECT_EQ(Quote(""), "\"\"");
  EXPECT_EQ(Quote("model.layers.0"), "\"model.layers.0\"");
  EXPECT_EQ(Quote("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(Quote("\x1b[31m\r\n\x7f"), R"("\x1b[31m\x0d\x0a\x7f")");
  EXPECT_EQ(Quote(std::string("\0\xff", 2)), R"("\x00\xff")");
}

TEST(Quote, CutsAtSixtyBytes) {
  EXPECT_EQ(Quote(std::string(60, 'x')), '"' + std::string(60, 'x') + '"');
  EXPECT_EQ(Quote(std::string(61, 'x')), '"' + std::string(60, 'x') + "...\"");
  EXPECT_EQ(Quote(std::string(1 << 20, 'x')).size(), 65u);
}

}  // namespace
}  // namespace ringlet
