#include "server/http/output_queue.h"

#include <gtest/gtest.h>

namespace ringlet::http {
namespace {

using std::chrono::seconds;

class OutputQueueTest : public ::testing::Test {
 protected:
  const TimePoint start_ = Clock::now();
  OutputQueue queue_{OutputLimits{1000, seconds(30), 100}};
};

TEST_F(OutputQueueTest, BytesComeOutInOrder) {
  std::string in;
  std::string out;
  for (int i = 0; i < 300; ++i) {
    const std::string piece(static_cast<size_t>(i * 7 % 1000), static_cast<char>('a' + i % 26));
    in += piece;
    queue_.Push(piece, start_);
    const std::string_view front = queue_.Front().substr(0, static_cast<size_t>(i * 13 % 700));
    out += front;
    queue_.Advance(front.size(), start_);
    EXPECT_EQ(queue_.size(), in.size() - out.size());
  }
  while (!queue_.empty()) {
    const std::string front(queue_.Front());
    out += front;
    queue_.Advance(front.size(), start_);
  }
  EXPECT_EQ(in, out);
  EXPECT_FALSE(queue_.Deadline());
}

TEST_F(OutputQueueTest, StallIsSinceTheLastProgress) {
  EXPECT_FALSE(queue_.Deadline());
  queue_.Push("abc", start_);
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(30));
  queue_.Push("abc", start_ + seconds(5));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(30));
  queue_.Advance(1, start_ + seconds(10));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(40));
  queue_.Advance(0, start_ + seconds(20));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(40));
}

// A reader that trickles makes progress, but its buffer may not stay full.
TEST_F(OutputQueueTest, FullBufferHasItsOwnTime) {
  queue_.Push(std::string(2000, 'x'), start_);
  queue_.Advance(1, start_ + seconds(29));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(30));
  queue_.Advance(999, start_ + seconds(29));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(59));
  queue_.Push(std::string(1, 'x'), start_ + seconds(40));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(59));
}

TEST_F(OutputQueueTest, FinishedAnswerNeedsTheMinimumRate) {
  queue_.Push(std::string(5000, 'x'), start_);
  queue_.Finish(start_);
  queue_.Advance(1, start_ + seconds(29));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(59));
  queue_.Advance(1, start_ + seconds(70));
  EXPECT_EQ(queue_.Deadline(), start_ + seconds(80));
}

TEST_F(OutputQueueTest, OverflowIsForStreams) {
  queue_.Push(std::string(16000, 'x'), start_);
  EXPECT_FALSE(queue_.Overflows());
  queue_.Push(std::string(1000, 'x'), start_);
  EXPECT_TRUE(queue_.Overflows());
  queue_.Finish(start_);
  EXPECT_FALSE(queue_.Overflows());
}

}  // namespace
}  // namespace ringlet::http
