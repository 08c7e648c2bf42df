#include "io/tokenizer.h"

#include <gtest/gtest.h>

#include <ctime>
#include <thread>

#include "base/rng.h"
#include "io/tokenizer_test_util.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

using Ids = std::vector<int32_t>;

std::shared_ptr<const Tokenizer> Load(const Json& json) {
  auto tokenizer = Tokenizer::FromJson(json.dump(), "test.json");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? *tokenizer : nullptr;
}

Ids Encode(const Tokenizer& tokenizer, std::string_view text,
           SpecialTokens mode = SpecialTokens::kParse) {
  auto ids = tokenizer.Encode(text, mode);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : Ids{};
}

Json ChatTokenizerJson() {
  Json json = TinyTokenizerJson(EnglishMerges());
  json["added_tokens"] = {
      AddedTokenJson(300, "<|end|>", true), AddedTokenJson(301, "<|endoftext|>", true),
      AddedTokenJson(302, "<think>", false), AddedTokenJson(303, "中<é>", false)};
  return json;
}

TEST(Tokenizer, EncodesAndDecodes) {
  const auto tokenizer = Load(ChatTokenizerJson());
  ASSERT_TRUE(tokenizer);
  const Ids ids = Encode(*tokenizer, "hello world");
  EXPECT_EQ(ids, (Ids{259, 262, 263}));
  EXPECT_EQ(tokenizer->Decode(ids, false), "hello world");
  EXPECT_EQ(tokenizer->TokenBytes(262), " wor");
  EXPECT_EQ(tokenizer->TokenBytes(-1), "");
  EXPECT_EQ(tokenizer->TokenBytes(1 << 30), "");
  EXPECT_EQ(tokenizer->vocab_size(), 304);
  EXPECT_TRUE(tokenizer->IsToken(262));
  EXPECT_FALSE(tokenizer->IsToken(299));  // a hole
  EXPECT_FALSE(tokenizer->IsToken(304));
  EXPECT_EQ(tokenizer->IdOf(" wor"), 262);
  EXPECT_EQ(tokenizer->IdOf("<|end|>"), 300);
  EXPECT_EQ(tokenizer->IdOf("nothing"), std::nullopt);
  EXPECT_TRUE(tokenizer->covers_all_bytes());
  EXPECT_FALSE(tokenizer->adds_bos());
  EXPECT_EQ(tokenizer->bos_id(), std::nullopt);
  EXPECT_TRUE(tokenizer->eos_ids().empty());
  EXPECT_EQ(Encode(*tokenizer, ""), Ids{});
}

TEST(Tokenizer, PlainTextNeverBecomesSpecial) {
  const auto tokenizer = Load(ChatTokenizerJson());
  ASSERT_TRUE(tokenizer);
  const std::string text = "a<|end|><think><|endoftext|>中<é>";
  EXPECT_EQ(Encode(*tokenizer, text), (Ids{'a', 300, 302, 301, 303}));
  const Ids plain = Encode(*tokenizer, text, SpecialTokens::kText);
  for (const int32_t id : plain) EXPECT_FALSE(tokenizer->IsSpecial(id));
  EXPECT_EQ(std::ranges::count(plain, 302), 1);
  EXPECT_EQ(tokenizer->Decode(plain, true), text);
  EXPECT_EQ(tokenizer->Decode(Encode(*tokenizer, text), true), "a<think>中<é>");
  EXPECT_EQ(tokenizer->Decode(Encode(*tokenizer, text), false), text);
}

// Not through merges and not as a whole piece either.
TEST(Tokenizer, BpeNeverMakesSpecialTokens) {
  Json json = TinyTokenizerJson({{"E", "O"}, {"EO", "S"}, {"EOS", "x"}});
  json["added_tokens"] = Json::array({AddedTokenJson(257, "EOS", true)});
  for (const bool ignore_merges : {false, true}) {
    json["model"]["ignore_merges"] = ignore_merges;
    const auto tokenizer = Load(json);
    ASSERT_TRUE(tokenizer);
    EXPECT_EQ(Encode(*tokenizer, "EOS"), (Ids{257}));
    EXPECT_EQ(Encode(*tokenizer, "EOS", SpecialTokens::kText), (Ids{256, 'S'}));
  }
}

TEST(Tokenizer, LongestAddedTokenWins) {
  Json json = TinyTokenizerJson({});
  json["added_tokens"] = {AddedTokenJson(300, "<a", false), AddedTokenJson(301, "<a>", false),
                          AddedTokenJson(302, "<a><b>", false), AddedTokenJson(303, "a>", false)};
  const auto tokenizer = Load(json);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(Encode(*tokenizer, "<a"), (Ids{300}));
  EXPECT_EQ(Encode(*tokenizer, "<a><b"), (Ids{301, '<', 'b'}));
  EXPECT_EQ(Encode(*tokenizer, "<a><b>"), (Ids{302}));
  EXPECT_EQ(Encode(*tokenizer, "<<a>a>"), (Ids{'<', 301, 303}));
}

TEST(Tokenizer, AddedTokenFlags) {
  Json json = TinyTokenizerJson({});
  json["added_tokens"] = {AddedTokenJson(300, "<L>", false), AddedTokenJson(301, "<R>", false),
                          AddedTokenJson(302, "WW", false)};
  json["added_tokens"][0]["lstrip"] = true;
  json["added_tokens"][1]["rstrip"] = true;
  json["added_tokens"][2]["single_word"] = true;
  const auto tokenizer = Load(json);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(Encode(*tokenizer, "a \u3000<L> b"), (Ids{'a', 300, ' ', 'b'}));
  EXPECT_EQ(Encode(*tokenizer, "a <R>\n\tb"), (Ids{'a', ' ', 301, 'b'}));
  EXPECT_EQ(Encode(*tokenizer, "<R>  <L>"), (Ids{301, 300}));
  EXPECT_EQ(Encode(*tokenizer, "WW WW, aWW"), (Ids{302, ' ', 302, ',', ' ', 'a', 'W', 'W'}));
  EXPECT_EQ(Encode(*tokenizer, "WW_"), (Ids{'W', 'W', '_'}));
}

TEST(Tokenizer, NormalizesWhereAsked) {
  Json json = TinyTokenizerJson({});
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  json["added_tokens"] = {AddedTokenJson(300, "e\u0301!", false),
                          AddedTokenJson(301, "o\u0308!", false)};
  json["added_tokens"][0]["normalized"] = true;
  const auto tokenizer = Load(json);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(Encode(*tokenizer, "e\u0301"), (Ids{0xC3, 0xA9}));
  EXPECT_EQ(Encode(*tokenizer, "e\u0301!\u00E9!"), (Ids{300, 300}));
  EXPECT_EQ(Encode(*tokenizer, "o\u0308!\u00F6!"), (Ids{301, 0xC3, 0xB6, '!'}));
  EXPECT_EQ(Encode(*tokenizer,
                   "\xFF"
                   "e\u0301\xFE"),
            (Ids{0xFF, 0xC3, 0xA9, 0xFE}));
}

TEST(Tokenizer, BosFromTheTemplate) {
  Json json = ChatTokenizerJson();
  const Json text = Json::object({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  const Json bos = Json::object({{"SpecialToken", {{"id", "<|end|>"}, {"type_id", 0}}}});
  const Json entry = {{"id", "<|end|>"}, {"ids", {300}}, {"tokens", {"<|end|>"}}};
  json["post_processor"] = {{"type", "Sequence"},
                            {"processors",
                             {json["post_processor"],
                              {{"type", "TemplateProcessing"},
                               {"single", {bos, text}},
                               {"pair", {bos, text, text}},
                               {"special_tokens", {{"<|end|>", entry}}}}}}};
  const auto tokenizer = Load(json);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->bos_id(), 300);
  EXPECT_TRUE(tokenizer->adds_bos());
  EXPECT_EQ(Encode(*tokenizer, "a"), (Ids{'a'}));
  json["post_processor"]["processors"][1]["single"] = Json::array({text});
  const auto without = Load(json);
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->adds_bos());
}

TEST(Tokenizer, UnknownTokens) {
  Json json = TinyTokenizerJson({});
  json["model"]["vocab"].erase("é");  // byte E9
  json["model"]["vocab"]["<unk>"] = 400;
  EXPECT_EQ(Encode(*Load(json), "a\xE9\xE9z"), (Ids{'a', 'z'}));
  EXPECT_FALSE(Load(json)->covers_all_bytes());
  json["model"]["unk_token"] = "<unk>";
  EXPECT_EQ(Encode(*Load(json), "a\xE9z"), (Ids{'a', 400, 'z'}));
  json["added_tokens"] = Json::array({AddedTokenJson(400, "<unk>", true)});
  EXPECT_EQ(Encode(*Load(json), "a\xE9z"), (Ids{'a', 'z'}));
}

TEST(Tokenizer, MergesAsPairsMayHoldSpaces) {
  Json json = TinyTokenizerJson(EnglishMerges());
  Json pairs = Json::array();
  for (const auto& [left, right] : EnglishMerges()) pairs.push_back({left, right});
  json["model"]["merges"] = pairs;
  EXPECT_EQ(Encode(*Load(json), "hello world"), (Ids{259, 262, 263}));
}

TEST(Tokenizer, PreTokenizerComponents) {
  Json json = TinyTokenizerJson({{"1", "2"}, {"a", "b"}, {"Ġ", "a"}});
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const auto with = [&](const Json& first) {
    json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {first, bytes}}};
    return Encode(*Load(json), "ab12 ab");
  };
  const Ids joined = {257, 256, ' ', 257};
  const Ids digits = {257, '1', '2', ' ', 257};
  EXPECT_EQ(with({{"type", "Digits"}, {"individual_digits", true}}), digits);
  EXPECT_EQ(with({{"type", "Digits"}, {"individual_digits", false}}), joined);
  EXPECT_EQ(with({{"type", "Split"},
                  {"pattern", {{"Regex", "\\p{N}"}}},
                  {"behavior", "Isolated"},
                  {"invert", false}}),
            digits);
  EXPECT_EQ(with({{"type", "Split"}, {"pattern", {{"String", "2 a"}}}, {"behavior", "Removed"}}),
            (Ids{257, '1', 'b'}));
}

std::string RandomBytes(Rng& rng) {
  std::string bytes;
  const size_t size = rng.Below(80);
  while (bytes.size() < size) {
    switch (rng.Below(4)) {
      case 0:
        bytes += static_cast<char>(rng.Below(256));
        break;
      case 1:
        bytes += "<|end|>hello world \n\n中é"[rng.Below(22)];
        break;
      case 2:
        bytes +=
            std::string_view("<think><|end|>中<é> hello 😀").substr(rng.Below(12), rng.Below(20));
        break;
      default:
        bytes += "a  \r\n1'"[rng.Below(7)];
    }
  }
  return bytes;
}

TEST(Tokenizer, AnyBytesRoundTrip) {
  Json json = ChatTokenizerJson();
  Json split = {{"type", "Split"},
                {"pattern", {{"Regex", patterns::kLing}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const auto gpt2 = Load(json);
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
  const auto ling = Load(json);
  ASSERT_TRUE(gpt2 && ling);
  Rng rng(23);
  for (int round = 0; round < 4000; ++round) {
    const std::string text = RandomBytes(rng);
    for (const auto& tokenizer : {gpt2, ling}) {
      for (const SpecialTokens mode : {SpecialTokens::kParse, SpecialTokens::kText}) {
        const Ids ids = Encode(*tokenizer, text, mode);
        ASSERT_EQ(tokenizer->Decode(ids, false), text);
        StreamDecoder decoder(tokenizer, false);
        std::string streamed;
        for (const int32_t id : ids) streamed += decoder.Push(id);
        streamed += decoder.Finish();
        ASSERT_EQ(streamed, ReplaceInvalidUtf8(text));
      }
    }
  }
}

TEST(StreamDecoder, HoldsBackUnfinishedCharacters) {
  const auto tokenizer = Load(ChatTokenizerJson());
  ASSERT_TRUE(tokenizer);
  StreamDecoder decoder(tokenizer, true);
  EXPECT_EQ(decoder.Push('a'), "a");
  EXPECT_EQ(decoder.Push(0xE2), "");
  EXPECT_EQ(decoder.Push(0x82), "");
  EXPECT_EQ(decoder.Push(0xAC), "\u20AC");
  EXPECT_EQ(decoder.Push(300), "");  // special
  EXPECT_EQ(decoder.Push(0xF0), "");
  EXPECT_EQ(decoder.Push('b'),
            "\uFFFD"
            "b");
  EXPECT_EQ(decoder.Push(0x80), "\uFFFD");
  EXPECT_EQ(decoder.Push(0xF0), "");
  EXPECT_EQ(decoder.Push(0x9F), "");
  EXPECT_EQ(decoder.Finish(), "\uFFFD");
  EXPECT_EQ(decoder.Finish(), "");
  EXPECT_EQ(decoder.Push(999999), "");
  EXPECT_EQ(StreamDecoder(tokenizer, false).Push(300), "<|end|>");
}

TEST(Tokenizer, ManyThreadsShareOne) {
  const auto tokenizer = Load(ChatTokenizerJson());
  ASSERT_TRUE(tokenizer);
  std::string text;
  Rng rng(9);
  while (text.size() < 20000) text += RandomBytes(rng);
  const Ids expected = Encode(*tokenizer, text);
  std::vector<std::thread> threads;
  std::array<Ids, 4> found;
  for (Ids& ids : found) {
    threads.emplace_back([&] { ids = tokenizer->Encode(text, SpecialTokens::kParse).value(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

// Processor time, so that a busy machine changes nothing.
double EncodeSeconds(const Tokenizer& tokenizer, std::string_view text) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    EXPECT_TRUE(tokenizer.Encode(text, SpecialTokens::kParse).ok());
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

// Twice the text, about twice the time, for texts that have brought other tokenizers to a halt.
TEST(Tokenizer, AdversarialTextsTakeLinearTime) {
  Json json = ChatTokenizerJson();
  json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"}, {"pattern", {{"Regex", patterns::kLing}}}, {"behavior", "Isolated"}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  const auto tokenizer = Load(json);
  ASSERT_TRUE(tokenizer);
  const std::pair<std::string, std::string> units[] = {{"one word", "a"},
                                                       {"spaces", " "},
                                                       {"newlines", "\n"},
                                                       {"line ends", "\r\n"},
                                                       {"spaces and lines", "   \n"},
                                                       {"digits", "7"},
                                                       {"punctuation", "!"},
                                                       {"emoji", "\U0001F469\u200D\U0001F467"},
                                                       {"marks", "\u0301\u0316"},
                                                       {"CJK", "\u4E2D\u6587"},
                                                       {"invalid", "\xFF"},
                                                       {"cut short", "\xE2\x82"},
                                                       {"almost special", "<|endoftext|"},
                                                       {"special", "<|end|>"},
                                                       {"apostrophes", "'"}};
  constexpr size_t kBytes = size_t{1} << 17;
  for (const auto& [name, unit] : units) {
    std::string text;
    while (text.size() < 2 * kBytes) text += unit;
    const double once =
        EncodeSeconds(*tokenizer, std::string_view(text).substr(0, text.size() / 2));
    const double twice = EncodeSeconds(*tokenizer, text);
    EXPECT_LT(twice, 3.5 * once + 0.05) << name << ": " << once << " s, then " << twice << " s";
  }
}

}  // namespace
}  // namespace ringlet
