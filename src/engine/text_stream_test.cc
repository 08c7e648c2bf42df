#include "engine/text_stream.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace ringlet {
namespace {

std::string Repair(std::string_view bytes, size_t step = 1000) {
  Utf8Stream stream;
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += step) stream.Append(bytes.substr(i, step), out);
  stream.Finish(out);
  return out;
}

TEST(Utf8StreamTest, WholeCharactersOnly) {
  Utf8Stream stream;
  std::string out;
  stream.Append("a\xE2\x82", out);
  EXPECT_EQ(out, "a");
  stream.Append("\xAC", out);
  EXPECT_EQ(out, "a\u20AC");
  stream.Append("\xF0\x9F\x98", out);
  EXPECT_EQ(out, "a\u20AC");
  stream.Append("\x80z", out);
  EXPECT_EQ(out, "a\u20AC\U0001F600z");
}

// Each maximal subpart of an ill-formed sequence becomes one U+FFFD (Unicode 15, section 3.9).
TEST(Utf8StreamTest, InvalidBytesBecomeReplacements) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(Repair("\x80"), r);
  EXPECT_EQ(Repair("\xC0\x80"), r + r);
  EXPECT_EQ(Repair("\xE0\x80\x80"), r + r + r);
  EXPECT_EQ(Repair("\xED\xA0\x80"), r + r + r);
  EXPECT_EQ(Repair("\xF4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(Repair("\xF5"), r);
  EXPECT_EQ(Repair("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(Repair("ok\xE2\x82"), "ok" + r);
  EXPECT_EQ(Repair("\xEF\xBF\xBF\xF4\x8F\xBF\xBF"), "\xEF\xBF\xBF\xF4\x8F\xBF\xBF");
}

std::string Cut(const std::vector<std::string>& stops, std::string_view text, size_t step,
                std::string* stop = nullptr) {
  TextStream stream(stops);
  std::string out;
  for (size_t i = 0; i < text.size(); i += step) stream.Append(text.substr(i, step), out);
  stream.Finish(out);
  if (stop != nullptr) *stop = stream.stop();
  return out;
}

TEST(TextStreamTest, StopAcrossPieces) {
  for (size_t step = 1; step < 12; ++step) {
    std::string stop;
    EXPECT_EQ(Cut({"END"}, "the EN END of it", step, &stop), "the EN ");
    EXPECT_EQ(stop, "END");
    EXPECT_EQ(Cut({"\n\n"}, "one\ntwo\n\nthree", step), "one\ntwo");
    EXPECT_EQ(Cut({"aab"}, "aaab", step), "a");
    EXPECT_EQ(Cut({"never"}, "nev", step, &stop), "nev");
    EXPECT_EQ(stop, "");
  }
}

TEST(TextStreamTest, HoldsBackOnlyWhatMayBecomeAStop) {
  TextStream stream({"<|end|>", "user:"});
  std::string out;
  stream.Append("hello <|e", out);
  EXPECT_EQ(out, "hello ");
  stream.Append("lse us", out);
  EXPECT_EQ(out, "hello <|else ");
  stream.Append("er:", out);
  EXPECT_EQ(out, "hello <|else ");
  EXPECT_TRUE(stream.stopped());
  stream.Append("more", out);
  stream.Finish(out);
  EXPECT_EQ(out, "hello <|else ");
}

TEST(TextStreamTest, EarliestEndThenLongestWins) {
  std::string stop;
  EXPECT_EQ(Cut({"c", "abcd"}, "xabcd", 100, &stop), "xab");
  EXPECT_EQ(stop, "c");
  EXPECT_EQ(Cut({"c", "abc"}, "xabcd", 100, &stop), "x");
  EXPECT_EQ(stop, "abc");
  EXPECT_EQ(Cut({"", "d"}, "abcd", 100, &stop), "abc");
}

TEST(TextStreamTest, StopsMatchWholeCharacters) {
  // The second byte of the euro sign is not a stop inside it.
  EXPECT_EQ(Cut({"\x82"}, "a\u20ACb", 1), "a\u20ACb");
  EXPECT_EQ(Cut({"\u20AC"}, "a\u20ACb", 1), "a");
}

// Random texts over a small alphabet: cutting never matters, and the result is a plain search.
TEST(TextStreamTest, CuttingNeverMatters) {
  Rng rng(11);
  const auto text_of = [&](size_t length) {
    std::string text;
    const std::vector<std::string> alphabet = {"a", "b", "\u00E9", "\xE2\x82", "\xAC"};
    for (size_t i = 0; i < length; ++i) text += alphabet[rng.Below(alphabet.size())];
    return text;
  };
  for (int trial = 0; trial < 2000; ++trial) {
    const std::string text = text_of(rng.Below(30));
    const std::vector<std::string> stops = {text_of(1 + rng.Below(4)), text_of(1 + rng.Below(4))};
    const std::string repaired = Repair(text);
    size_t end = std::string::npos;
    size_t begin = repaired.size();
    for (const std::string& raw : stops) {
      const std::string stop = Repair(raw);
      const size_t at = repaired.find(stop);
      if (at == std::string::npos) continue;
      if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
        end = at + stop.size();
        begin = at;
      }
    }
    const std::string want = repaired.substr(0, begin);
    for (const size_t step : {1, 2, 3, 7, 100}) ASSERT_EQ(Cut(stops, text, step), want);
  }
}

}  // namespace
}  // namespace ringlet
