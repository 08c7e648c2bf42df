#include "io/utf8.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "io/byte_alphabet.h"
#include "io/normalizer.h"

namespace ringlet {
namespace {

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(c, text);
    ASSERT_EQ(Utf8CharLength(text), text.size()) << static_cast<uint32_t>(c);
    ASSERT_EQ(DecodeUtf8Char(text), c);
    ASSERT_EQ(LastUtf8Char("x" + text), text);
  }
}

TEST(Utf8, RefusesIllFormedBytes) {
  const std::string_view bad[] = {"\x80",
                                  "\xBF",
                                  "\xC0\x80",
                                  "\xC1\xBF",
                                  "\xE0\x80\x80",
                                  "\xE0\x9F\xBF",
                                  "\xED\xA0\x80",
                                  "\xED\xBF\xBF",
                                  "\xF0\x80\x80\x80",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xFF",
                                  "\xE2\x82",
                                  "\xC3",
                                  "\xC3(",
                                  "\xE2(\xA1",
                                  "\xE2\x82("};
  for (const std::string_view text : bad) {
    EXPECT_EQ(Utf8CharLength(text), 0u);
    EXPECT_EQ(ValidUtf8Prefix("12345678" + std::string(text)), 8u);
    EXPECT_EQ(ValidUtf8Prefix("123" + std::string(text) + "12345678"), 3u);
  }
  EXPECT_EQ(Utf8CharLength(""), 0u);
  EXPECT_EQ(ValidUtf8Prefix(""), 0u);
}

TEST(Utf8, IncompleteSuffix) {
  EXPECT_EQ(IncompleteUtf8Suffix(""), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("a"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xE2"), 1u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xE2\x82"), 2u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xE2\x82\xAC"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(IncompleteUtf8Suffix("\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("\x82\x82"), 0u);  // never becomes valid
  EXPECT_EQ(IncompleteUtf8Suffix("\xE0\x80"), 0u);  // overlong: neither
  EXPECT_EQ(IncompleteUtf8Suffix("\xED\xA0"), 0u);  // surrogate
  EXPECT_EQ(IncompleteUtf8Suffix("\xF4\x90\x80"), 0u);
}

// The examples of the Unicode standard, table 3-8 to 3-11.
TEST(Utf8, ReplacesMaximalIllFormedParts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(ReplaceInvalidUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(ReplaceInvalidUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(ReplaceInvalidUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(ReplaceInvalidUtf8("good \xE2\x82\xAC"), "good \xE2\x82\xAC");
}

TEST(ByteAlphabet, RoundTripsEveryByte) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  const std::string spelling = AlphabetFromBytes(bytes);
  EXPECT_EQ(ValidUtf8Prefix(spelling), spelling.size());
  EXPECT_EQ(BytesFromAlphabet(spelling), bytes);
  EXPECT_EQ(AlphabetFromBytes(" \n\t"), "ĠĊĉ");
  EXPECT_EQ(AlphabetFromBytes("\xC2\xAD"), "ÂŃ");  // the last of the shifted ones
  EXPECT_FALSE(BytesFromAlphabet("a b"));
  EXPECT_FALSE(BytesFromAlphabet("中"));
  EXPECT_FALSE(BytesFromAlphabet("\xFF"));
}

TEST(Normalizer, Forms) {
  const std::string text = "cafe\u0301 \u212B \uFB01 a\u0315\u0300\u05AE\u0062 \uAC00 \u1100\u1161";
  EXPECT_EQ(NormalizeUtf8(text, NormalForm::kNfc),
            "caf\u00E9 \u00C5 \uFB01 \u00E0\u05AE\u0315b \uAC00 \uAC00");
  EXPECT_EQ(NormalizeUtf8(text, NormalForm::kNfd),
            "cafe\u0301 A\u030A \uFB01 a\u05AE\u0300\u0315b \u1100\u1161 \u1100\u1161");
  EXPECT_EQ(NormalizeUtf8(text, NormalForm::kNfkc),
            "caf\u00E9 \u00C5 fi \u00E0\u05AE\u0315b \uAC00 \uAC00");
  EXPECT_EQ(NormalizeUtf8("\uFDFA", NormalForm::kNfkd).size(), 33u);  // the longest: 18 characters
  EXPECT_EQ(NormalizeUtf8("plain ASCII\n", NormalForm::kNfc), "plain ASCII\n");
  EXPECT_EQ(NormalizeUtf8("", NormalForm::kNfc), "");
  EXPECT_EQ(NormalizeUtf8("\u0301", NormalForm::kNfc), "\u0301");
}

TEST(Normalizer, IsIdempotentOnRandomText) {
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) {
      char32_t c = static_cast<char32_t>(rng.Below(rng.Below(2) ? 0x500 : 0x11000));
      if (c >= 0xD800 && c < 0xE000) c = 'x';
      AppendUtf8(c, text);
    }
    for (const NormalForm form :
         {NormalForm::kNfc, NormalForm::kNfd, NormalForm::kNfkc, NormalForm::kNfkd}) {
      const std::string once = NormalizeUtf8(text, form);
      ASSERT_EQ(NormalizeUtf8(once, form), once);
    }
    ASSERT_EQ(NormalizeUtf8(NormalizeUtf8(text, NormalForm::kNfd), NormalForm::kNfc),
              NormalizeUtf8(text, NormalForm::kNfc));
  }
}

}  // namespace
}  // namespace ringlet
