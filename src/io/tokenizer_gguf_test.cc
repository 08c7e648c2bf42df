#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "io/gguf.h"
#include "io/test_files.h"
#include "io/tokenizer.h"
#include "io/tokenizer_test_util.h"

namespace ringlet {
namespace {

std::string StringArray(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) bytes += GgufString(value);
  return GgufArray(key, kTypeString, values.size(), bytes);
}

// The tokenizer's part of a GGUF file, open to changes.
struct Metadata {
  std::string model = "gpt2";
  std::string pre = "smollm";
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<std::string> merges = {"h e", "1 2", "Ġ he"};
  std::map<std::string, uint32_t> ids = {{"bos_token_id", 259}, {"eos_token_id", 260}};
  std::optional<bool> add_bos;
  std::vector<std::string> absent;

  Metadata() {
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      tokens.push_back(AlphabetFromBytes(std::string_view(&c, 1)));
    }
    types.assign(256, 1);
    for (const auto& [token, type] :
         {std::pair("he", 1), std::pair("12", 1), std::pair("Ġhe", 1), std::pair("<s>", 3),
          std::pair("</s>", 3), std::pair("<tool>", 4), std::pair("<pad>", 5)}) {
      tokens.push_back(token);
      types.push_back(type);
    }
  }

  Result<std::shared_ptr<const Tokenizer>> Read() const {
    std::vector<std::string> entries;
    const auto add = [&](const std::string& name, const std::string& entry) {
      if (std::ranges::find(absent, name) == absent.end()) entries.push_back(entry);
    };
    const std::string prefix = "tokenizer.ggml.";
    add("model", GgufEntry(prefix + "model", kTypeString, GgufString(model)));
    add("pre", GgufEntry(prefix + "pre", kTypeString, GgufString(pre)));
    add("tokens", StringArray(prefix + "tokens", tokens));
    add("merges", StringArray(prefix + "merges", merges));
    std::string values;
    for (const int32_t type : types) values += Stored(type);
    add("token_type", GgufArray(prefix + "token_type", kTypeI32, types.size(), values));
    for (const auto& [name, id] : ids) add(name, GgufEntry(prefix + name, kTypeU32, Stored(id)));
    if (add_bos) add("add_bos", GgufEntry(prefix + "add_bos_token", kTypeBool, Stored(*add_bos)));
    const std::string bytes = GgufBytes(entries, {}, "");
    const auto file = GgufFile::Parse(AsBytes(bytes), "t.gguf", nullptr);
    if (!file.ok()) return file.status();
    return Tokenizer::FromGguf(**file);
  }
};

std::vector<int32_t> Encode(const Metadata& metadata, std::string_view text, SpecialTokens mode) {
  const auto tokenizer = metadata.Read();
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  if (!tokenizer.ok()) return {};
  return (*tokenizer)->Encode(text, mode).value();
}

TEST(TokenizerGguf, ReadsTokensAndEnds) {
  Metadata metadata;
  metadata.ids["eot_token_id"] = 261;
  metadata.ids["eom_token_id"] = 260;
  const auto tokenizer = metadata.Read();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  const Tokenizer& t = **tokenizer;
  EXPECT_EQ(t.vocab_size(), 263);
  EXPECT_EQ(t.bos_id(), 259);
  EXPECT_FALSE(t.adds_bos());
  EXPECT_EQ(t.eos_ids(), (std::vector<int32_t>{260, 261}));
  EXPECT_TRUE(t.IsSpecial(259));
  EXPECT_FALSE(t.IsSpecial(261));
  EXPECT_EQ(t.TokenBytes(258), " he");
  EXPECT_EQ(t.IdOf("</s>"), 260);
  const std::vector<int32_t> parsed = {259, 256, 258, '1', '2', 261};
  EXPECT_EQ(t.Encode("<s>he he12<tool>", SpecialTokens::kParse).value(), parsed);
  const std::vector<int32_t> plain = {'<', 's', '>', 261};
  EXPECT_EQ(t.Encode("<s><tool>", SpecialTokens::kText).value(), plain);
}

TEST(TokenizerGguf, EveryNamedPreTokenizer) {
  const std::vector<int32_t> apart = {'1', '2'}, joined = {257};
  for (const auto& [pre, expected] :
       {std::pair("smollm", apart), std::pair("llama-bpe", joined), std::pair("llama3", joined),
        std::pair("llama-v3", joined), std::pair("qwen2", apart), std::pair("bailingmoe", apart),
        std::pair("bailingmoe2", apart), std::pair("gpt-2", joined),
        std::pair("default", joined)}) {
    Metadata metadata;
    metadata.pre = pre;
    EXPECT_EQ(Encode(metadata, "12", SpecialTokens::kText), expected) << pre;
    EXPECT_EQ((*metadata.Read())->adds_bos(), std::string_view(pre).starts_with("llama")) << pre;
  }
}

TEST(TokenizerGguf, WhetherPromptsBeginWithBos) {
  Metadata metadata;
  metadata.add_bos = true;
  EXPECT_TRUE((*metadata.Read())->adds_bos());
  metadata.pre = "llama-bpe";
  metadata.add_bos = false;
  EXPECT_FALSE((*metadata.Read())->adds_bos());
}

struct Malformed {
  const char* name;
  std::function<void(Metadata&)> damage;
  StatusCode code;
  std::string message;  // after "t.gguf: tokenizer.ggml."
};

TEST(TokenizerGguf, Malformed) {
  constexpr StatusCode kBad = StatusCode::kInvalidInput;
  constexpr StatusCode kNo = StatusCode::kUnsupported;
  const std::vector<Malformed> cases = {
      {"model", [](Metadata& m) { m.model = "llama"; }, kNo,
       "model: found \"llama\", expected \"gpt2\""},
      {"pre", [](Metadata& m) { m.pre = "tekken"; }, kNo,
       "pre: found \"tekken\", expected one of \"smollm\", \"llama-bpe\", \"llama3\", "
       "\"llama-v3\", \"qwen2\", \"bailingmoe\", \"bailingmoe2\", \"gpt-2\", \"default\""},
      {"types short", [](Metadata& m) { m.types.pop_back(); }, kBad,
       "token_type: found 262 values, expected 263, one for each token"},
      {"type", [](Metadata& m) { m.types[7] = 9; }, kBad,
       "token_type[7]: found 9, expected 1 to 6"},
      {"no tokens", [](Metadata& m) { m.tokens.clear(), m.types.clear(), m.merges.clear(); }, kBad,
       "tokens: found no tokens, expected at least one"},
      {"token twice", [](Metadata& m) { m.tokens[262] = "he"; }, kBad,
       "tokens: found \"he\" twice, expected each token once"},
      {"empty token", [](Metadata& m) { m.tokens[262].clear(); }, kBad,
       "tokens: found an empty token, expected at least one character"},
      {"empty control token", [](Metadata& m) { m.tokens[260].clear(); }, kBad,
       "tokens: found an empty token, expected at least one character"},
      {"merge without a space", [](Metadata& m) { m.merges[1] = "he"; }, kBad,
       "merges[1]: found \"he\", expected two tokens, as \"a b\""},
      {"empty merge", [](Metadata& m) { m.merges[1].clear(); }, kBad,
       "merges[1]: found \"\", expected two tokens, as \"a b\""},
      {"merge of no token", [](Metadata& m) { m.merges[1] = "x yz"; }, kBad,
       "merges[1]: found \"yz\", expected a token of tokenizer.ggml.tokens"},
      {"merge to no token", [](Metadata& m) { m.merges[1] = "x y"; }, kBad,
       "merges[1]: found \"xy\", expected a token of tokenizer.ggml.tokens"},
      {"bos beyond the end", [](Metadata& m) { m.ids["bos_token_id"] = 263; }, kBad,
       "bos_token_id: found 263, expected the id of a token"},
      {"huge eos", [](Metadata& m) { m.ids["eos_token_id"] = 4000000000u; }, kBad,
       "eos_token_id: found 4000000000, expected the id of a token"},
      {"bos missing", [](Metadata& m) { m.ids.erase("bos_token_id"), m.add_bos = true; }, kBad,
       "bos_token_id: found nothing, expected an id, because add_bos_token is true"},
  };
  for (const Malformed& item : cases) {
    Metadata metadata;
    item.damage(metadata);
    const auto tokenizer = metadata.Read();
    ASSERT_FALSE(tokenizer.ok()) << item.name;
    EXPECT_EQ(tokenizer.status().message(), "t.gguf: tokenizer.ggml." + item.message) << item.name;
    EXPECT_EQ(tokenizer.status().code(), item.code) << item.name;
  }
  for (const char* key : {"model", "pre", "tokens", "merges", "token_type"}) {
    Metadata metadata;
    metadata.absent = {key};
    const auto tokenizer = metadata.Read();
    ASSERT_FALSE(tokenizer.ok()) << key;
    EXPECT_NE(tokenizer.status().message().find(std::string("tokenizer.ggml.") + key),
              std::string::npos)
        << tokenizer.status().message();
  }
}

}  // namespace
}  // namespace ringlet
