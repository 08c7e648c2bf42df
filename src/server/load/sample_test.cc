#include "server/load/sample.h"

#include <gtest/gtest.h>

namespace ringlet {
namespace {

using std::chrono::milliseconds;

class SampleTest : public testing::Test {
 protected:
  HttpTime At(int ms) const { return due_ + milliseconds(ms); }
  void Event(std::string data, int ms) { reader_.OnEvent({"", std::move(data), ""}, At(ms)); }
  LoadSample Done(int code, int ms, std::string body = "", Status status = Status::Ok()) {
    HttpReply reply;
    reply.status = std::move(status);
    reply.code = code;
    reply.body = std::move(body);
    reply.done = At(ms);
    return reader_.Finish(reply);
  }

  const HttpTime due_ = std::chrono::steady_clock::now();
  SampleReader reader_{due_};
};

TEST_F(SampleTest, TimesOfACompletion) {
  Event(R"({"choices":[{"text":"a"}]})", 30);
  Event(R"({"choices":[{"text":""}]})", 35);  // no text, no token
  Event(R"({"choices":[{"text":"b"}]})", 40);
  Event(R"({"choices":[{"text":"c"}]})", 70);
  Event(R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,)"
        R"("prompt_tokens_details":{"cached_tokens":5}}})",
        71);
  Event("[DONE]", 71);
  const LoadSample sample = Done(200, 72);
  EXPECT_EQ(sample.outcome, LoadSample::Outcome::kCompleted) << sample.error;
  EXPECT_DOUBLE_EQ(sample.first_token, 0.030);
  EXPECT_EQ(sample.gaps.size(), 2u);
  EXPECT_DOUBLE_EQ(sample.gaps[0], 0.010);
  EXPECT_DOUBLE_EQ(sample.gaps[1], 0.030);
  EXPECT_DOUBLE_EQ(sample.latency, 0.072);
  EXPECT_EQ(sample.prompt_tokens, 9);
  EXPECT_EQ(sample.cached_tokens, 5);
  EXPECT_EQ(sample.answer_tokens, 4);
}

TEST_F(SampleTest, ChatsCountContentReasoningAndCalls) {
  Event(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})", 1);
  Event(R"({"choices":[{"delta":{"reasoning_content":"hm"}}]})", 2);
  Event(R"({"choices":[{"delta":{"content":"a"}}]})", 4);
  Event(R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})", 7);
  Event(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})", 8);
  Event("[DONE]", 8);
  const LoadSample sample = Done(200, 8);
  EXPECT_EQ(sample.outcome, LoadSample::Outcome::kCompleted) << sample.error;
  EXPECT_DOUBLE_EQ(sample.first_token, 0.002);
  EXPECT_EQ(sample.gaps.size(), 2u);
  EXPECT_EQ(sample.answer_tokens, 3);  // the server did not count
}

TEST_F(SampleTest, RefusalsAreNotFailures) {
  const LoadSample sample = Done(429, 3, R"({"error":{"message":"the queue is full"}})");
  EXPECT_EQ(sample.outcome, LoadSample::Outcome::kRefused);
}

TEST_F(SampleTest, ErrorsSayWhatTheServerSaid) {
  const LoadSample sample = Done(500, 3, R"({"error":{"message":"out of luck"}})");
  EXPECT_EQ(sample.outcome, LoadSample::Outcome::kFailed);
  EXPECT_EQ(sample.error, R"(HTTP 500: "out of luck")");
}

TEST_F(SampleTest, NoConnectionIsAFailure) {
  const LoadSample sample = Done(0, 3, "", Status(StatusCode::kIo, "refused"));
  EXPECT_EQ(sample.outcome, LoadSample::Outcome::kFailed);
  EXPECT_EQ(sample.error, "refused");
}

TEST_F(SampleTest, AStreamThatBreaksOffIsAFailure) {
  Event(R"({"choices":[{"text":"a"}]})", 1);
  EXPECT_EQ(Done(200, 3).error, "the stream ended without [DONE]");
}

TEST_F(SampleTest, AnErrorInAStreamIsAFailure) {
  Event(R"({"choices":[{"text":"a"}]})", 1);
  Event(R"({"error":{"message":"cut off"}})", 2);
  Event("[DONE]", 2);
  EXPECT_EQ(Done(200, 3).error, R"("cut off")");
}

TEST_F(SampleTest, AnAnswerWithoutTextIsAFailure) {
  Event("[DONE]", 2);
  EXPECT_EQ(Done(200, 3).error, "an answer without text");
}

TEST_F(SampleTest, EventsMayHoldAnything) {
  for (const char* data : {"{", "7", "[]", "null", R"({"choices":7})", R"({"choices":[]})",
                           R"({"choices":[null]})", R"({"choices":[{"delta":[]}]})",
                           R"({"choices":[{"text":7}],"usage":{"prompt_tokens":"x"}})"}) {
    Event(data, 1);
  }
  EXPECT_EQ(Done(200, 3).outcome, LoadSample::Outcome::kFailed);
}

TEST(ErrorText, IsCutAndQuoted) {
  EXPECT_EQ(ErrorText("<html>"), R"("<html>")");
  EXPECT_EQ(ErrorText(R"({"error":"no"})"), R"("no")");
  EXPECT_LE(ErrorText(std::string(100000, 'x')).size(), 70u);
}

}  // namespace
}  // namespace ringlet
