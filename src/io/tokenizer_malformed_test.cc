// Every way in which a tokenizer.json can be wrong, each with the whole message it gets.
#include <gtest/gtest.h>

#include <functional>

#include "io/tokenizer.h"
#include "io/tokenizer_test_util.h"

namespace ringlet {
namespace {

struct Malformed {
  const char* name;
  std::function<void(Json&)> damage;
  StatusCode code;
  std::string message;  // after "t.json: "
};

constexpr StatusCode kBad = StatusCode::kInvalidInput;
constexpr StatusCode kNo = StatusCode::kUnsupported;

void ExpectErrors(const std::vector<Malformed>& cases) {
  for (const Malformed& item : cases) {
    Json json = TinyTokenizerJson({{"h", "e"}, {"l", "l"}});
    json["added_tokens"] = {AddedTokenJson(300, "<a>", true), AddedTokenJson(301, "<b>", false)};
    item.damage(json);
    const auto tokenizer = Tokenizer::FromJson(json.dump(), "t.json");
    ASSERT_FALSE(tokenizer.ok()) << item.name;
    EXPECT_EQ(tokenizer.status().message(), "t.json: " + item.message) << item.name;
    EXPECT_EQ(tokenizer.status().code(), item.code) << item.name;
  }
}

TEST(TokenizerMalformed, Document) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "found bad JSON at byte"},
      {"{", "found bad JSON at byte"},
      {"{} x", "found bad JSON at byte"},
      {"{\"model\": {}, \"model\": {}}", "found key \"model\" twice"},
      {"{\"model\": {\"vocab\": {\"a\": 1, \"a\": 2}}}", "found key \"a\" twice"},
      {"{\"model\": \"\xFF\"}", "found bad JSON at byte"},
      {std::string(100, '['), "found nesting deeper than 64"},
      {"[]", "document: found an array, expected an object"},
      {"null", "document: found null, expected an object"},
      {"{}", "pre_tokenizer: found no ByteLevel"},
  };
  for (const auto& [text, expected] : cases) {
    const auto tokenizer = Tokenizer::FromJson(text, "t.json");
    ASSERT_FALSE(tokenizer.ok()) << text;
    EXPECT_TRUE(tokenizer.status().message().starts_with("t.json: " + expected))
        << tokenizer.status().message();
  }
  EXPECT_EQ(Tokenizer::FromJsonFile("no such file").status().code(), StatusCode::kNotFound);
}

TEST(TokenizerMalformed, TopLevel) {
  ExpectErrors({
      {"unknown field", [](Json& j) { j["extra"] = 1; }, kNo,
       "extra: found an unknown field, expected one of version, truncation, padding, added_tokens, "
       "normalizer, pre_tokenizer, post_processor, decoder, model"},
      {"unknown field with control characters", [](Json& j) { j["\x1B[2J"] = 1; }, kNo,
       "\"\\x1b[2J\": found an unknown field, expected one of version, truncation, padding, "
       "added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model"},
      {"version", [](Json& j) { j["version"] = "2.0"; }, kNo,
       "version: found \"2.0\", expected \"1.0\""},
      {"no model", [](Json& j) { j.erase("model"); }, kBad,
       "model: found nothing, expected this field"},
      {"null model", [](Json& j) { j["model"] = nullptr; }, kBad,
       "model: found null, expected an object"},
  });
}

TEST(TokenizerMalformed, Model) {
  ExpectErrors({
      {"unigram", [](Json& j) { j["model"]["type"] = "Unigram"; }, kNo,
       "model.type: found \"Unigram\", expected \"BPE\""},
      {"no type, no merges", [](Json& j) { j["model"].erase("type"), j["model"].erase("merges"); },
       kBad, "model.type: found nothing, expected this field"},
      {"unknown field", [](Json& j) { j["model"]["max_input_chars_per_word"] = 100; }, kNo,
       "model.max_input_chars_per_word: found an unknown field, expected one of type, dropout, "
       "unk_token, continuing_subword_prefix, end_of_word_suffix, fuse_unk, byte_fallback, "
       "ignore_merges, vocab, merges"},
      {"dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }, kNo,
       "model.dropout: found 0.1, expected null or 0"},
      {"prefix", [](Json& j) { j["model"]["continuing_subword_prefix"] = "##"; }, kNo,
       "model.continuing_subword_prefix: found \"##\", expected null or an empty string"},
      {"suffix", [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, kNo,
       "model.end_of_word_suffix: found \"</w>\", expected null or an empty string"},
      {"suffix type", [](Json& j) { j["model"]["end_of_word_suffix"] = 1; }, kBad,
       "model.end_of_word_suffix: found 1, expected a string"},
      {"byte fallback", [](Json& j) { j["model"]["byte_fallback"] = true; }, kNo,
       "model.byte_fallback: found true, expected false"},
      {"fuse_unk type", [](Json& j) { j["model"]["fuse_unk"] = "no"; }, kBad,
       "model.fuse_unk: found \"no\", expected true or false"},
      {"ignore_merges type", [](Json& j) { j["model"]["ignore_merges"] = 1; }, kBad,
       "model.ignore_merges: found 1, expected true or false"},
      {"unk type", [](Json& j) { j["model"]["unk_token"] = 0; }, kBad,
       "model.unk_token: found 0, expected a string"},
      {"unk missing", [](Json& j) { j["model"]["unk_token"] = "<unk>"; }, kBad,
       "model.unk_token: found \"<unk>\", expected a token of model.vocab"},
  });
}

TEST(TokenizerMalformed, Vocab) {
  ExpectErrors({
      {"absent", [](Json& j) { j["model"].erase("vocab"); }, kBad,
       "model.vocab: found nothing, expected this field"},
      {"a list", [](Json& j) { j["model"]["vocab"] = Json::array(); }, kBad,
       "model.vocab: found an array, expected an object of tokens and ids"},
      {"empty", [](Json& j) { j["model"]["vocab"] = Json::object(), j["added_tokens"].clear(); },
       kBad, "model.vocab: found no tokens, expected at least one"},
      {"negative id", [](Json& j) { j["model"]["vocab"]["he"] = -1; }, kBad,
       "model.vocab[\"he\"]: found -1, expected an integer from 0 to 16777215"},
      {"fractional id", [](Json& j) { j["model"]["vocab"]["he"] = 1.5; }, kBad,
       "model.vocab[\"he\"]: found 1.5, expected an integer from 0 to 16777215"},
      {"huge id", [](Json& j) { j["model"]["vocab"]["he"] = 16777216; }, kBad,
       "model.vocab[\"he\"]: found 16777216, expected an integer from 0 to 16777215"},
      {"id above 64 bits", [](Json& j) { j["model"]["vocab"]["he"] = 1e30; }, kBad,
       "model.vocab[\"he\"]: found 1e+30, expected an integer from 0 to 16777215"},
      {"string id", [](Json& j) { j["model"]["vocab"]["he"] = "5"; }, kBad,
       "model.vocab[\"he\"]: found \"5\", expected an integer from 0 to 16777215"},
      {"sparse", [](Json& j) { j["model"]["vocab"]["he"] = 16777215; }, kBad,
       "model.vocab: found id 16777215 with 260 tokens, expected ids without large gaps"},
      {"id twice", [](Json& j) { j["model"]["vocab"]["ll"] = 256; }, kBad,
       "model.vocab: found id 256 for \"he\" and \"ll\", expected each id once"},
      {"empty token", [](Json& j) { j["model"]["vocab"][""] = 270; }, kBad,
       "model.vocab: found an empty token, expected at least one character"},
  });
}

TEST(TokenizerMalformed, Merges) {
  const auto with = [](Json merge) {
    return [merge](Json& j) { j["model"]["merges"].push_back(merge); };
  };
  const std::string two = "expected two tokens, as \"a b\" or [\"a\", \"b\"]";
  ExpectErrors({
      {"absent", [](Json& j) { j["model"].erase("merges"); }, kBad,
       "model.merges: found nothing, expected this field"},
      {"an object", [](Json& j) { j["model"]["merges"] = Json::object(); }, kBad,
       "model.merges: found an object, expected an array"},
      {"no space", with("he"), kBad, "model.merges[2]: found \"he\", " + two},
      {"two spaces", with("h e l"), kBad, "model.merges[2]: found \"h e l\", " + two},
      {"a number", with(7), kBad, "model.merges[2]: found 7, " + two},
      {"one token", with(Json::array({"h"})), kBad, "model.merges[2]: found [\"h\"], " + two},
      {"three tokens", with(Json::array({"h", "e", "l"})), kBad,
       "model.merges[2]: found [\"h\",\"e\",\"l\"], " + two},
      {"numbers", with(Json::array({1, 2})), kBad, "model.merges[2]: found [1,2], " + two},
      {"missing left", with("xyz e"), kBad,
       "model.merges[2]: found \"xyz\", expected a token of model.vocab"},
      {"missing right", with("e xyz"), kBad,
       "model.merges[2]: found \"xyz\", expected a token of model.vocab"},
      {"missing result", with("h h"), kBad,
       "model.merges[2]: found \"hh\", expected a token of model.vocab"},
      {"empty half", with(" e"), kBad,
       "model.merges[2]: found \"\", expected a token of model.vocab"},
      {"again", with("h e"), kBad,
       "model.merges[2]: found \"h\" \"e\" again, expected each pair once"},
  });
}

TEST(TokenizerMalformed, AddedTokens) {
  const auto set = [](const char* key, Json value) {
    return [=](Json& j) { j["added_tokens"][1][key] = value; };
  };
  ExpectErrors({
      {"not a list", [](Json& j) { j["added_tokens"] = Json::object(); }, kBad,
       "added_tokens: found an object, expected an array"},
      {"not an object", [](Json& j) { j["added_tokens"][1] = "<b>"; }, kBad,
       "added_tokens[1]: found \"<b>\", expected an object"},
      {"no id", [](Json& j) { j["added_tokens"][1].erase("id"); }, kBad,
       "added_tokens[1].id: found nothing, expected this field"},
      {"negative id", set("id", -3), kBad,
       "added_tokens[1].id: found -3, expected an integer from 0 to 16777215"},
      {"huge id", set("id", 1 << 24), kBad,
       "added_tokens[1].id: found 16777216, expected an integer from 0 to 16777215"},
      {"sparse id", set("id", 10000000), kBad,
       "model.vocab: found id 10000000 with 260 tokens, expected ids without large gaps"},
      {"no content", [](Json& j) { j["added_tokens"][1].erase("content"); }, kBad,
       "added_tokens[1].content: found nothing, expected this field"},
      {"empty content", set("content", ""), kBad,
       "added_tokens[1].content: found 0 bytes, expected 1 to 1024"},
      {"long content", set("content", std::string(1025, 'x')), kBad,
       "added_tokens[1].content: found 1025 bytes, expected 1 to 1024"},
      {"content type", set("content", 3), kBad,
       "added_tokens[1].content: found 3, expected a string"},
      {"flag type", set("lstrip", 1), kBad,
       "added_tokens[1].lstrip: found 1, expected true or false"},
      {"unknown flag", set("bold", true), kNo,
       "added_tokens[1].bold: found an unknown field, expected one of id, content, single_word, "
       "lstrip, rstrip, normalized, special"},
      {"content twice", set("content", "<a>"), kBad,
       "added_tokens[1].content: found \"<a>\" again, expected each token once"},
      {"id twice", set("id", 300), kBad,
       "added_tokens[1].id: found 300 again, expected each id once"},
      {"other id than in vocab", set("content", "he"), kBad,
       "added_tokens[1].id: found 301 for \"he\", expected 256, its id in model.vocab"},
      {"id of another token", set("id", 256), kBad,
       "added_tokens[1].id: found 256 for \"<b>\", expected an id that model.vocab does not give "
       "to "
       "\"he\""},
  });
}

TEST(TokenizerMalformed, Normalizer) {
  const auto with = [](Json value) { return [=](Json& j) { j["normalizer"] = value; }; };
  ExpectErrors({
      {"not an object", with("NFC"), kBad, "normalizer: found \"NFC\", expected an object or null"},
      {"no type", with(Json::object()), kBad,
       "normalizer.type: found nothing, expected this field"},
      {"lowercase", with({{"type", "Lowercase"}}), kNo,
       "normalizer.type: found \"Lowercase\", expected NFC, NFD, NFKC, NFKD or Sequence"},
      {"no list", with({{"type", "Sequence"}}), kBad,
       "normalizer.normalizers: found nothing, expected this field"},
      {"in a sequence",
       with({{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "Strip"}}}}}), kNo,
       "normalizer.normalizers[1].type: found \"Strip\", expected NFC, NFD, NFKC, NFKD or "
       "Sequence"},
  });
}

TEST(TokenizerMalformed, PreTokenizer) {
  const auto with = [](Json value) { return [=](Json& j) { j["pre_tokenizer"] = value; }; };
  const Json bytes = {{"type", "ByteLevel"}};
  const auto split = [](const char* key, Json value) {
    return [=](Json& j) {
      Json stage = {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Isolated"}};
      stage[key] = value;
      j["pre_tokenizer"] = {{"type", "Sequence"},
                            {"pretokenizers", {stage, {{"type", "ByteLevel"}}}}};
    };
  };
  const std::string at = "pre_tokenizer.pretokenizers[0].";
  ExpectErrors({
      {"null", with(nullptr), kNo,
       "pre_tokenizer: found no ByteLevel, expected a byte-level BPE tokenizer"},
      {"whitespace", with({{"type", "Whitespace"}}), kNo,
       "pre_tokenizer.type: found \"Whitespace\", expected Split, Digits, ByteLevel or Sequence"},
      {"metaspace", with({{"type", "Metaspace"}, {"replacement", "_"}}), kNo,
       "pre_tokenizer.type: found \"Metaspace\", expected Split, Digits, ByteLevel or Sequence"},
      {"after ByteLevel",
       with({{"type", "Sequence"}, {"pretokenizers", {bytes, {{"type", "Digits"}}}}}), kNo,
       "pre_tokenizer.pretokenizers[1]: found an object, expected ByteLevel as the last component"},
      {"no ByteLevel", with({{"type", "Digits"}}), kNo,
       "pre_tokenizer: found no ByteLevel, expected a byte-level BPE tokenizer"},
      {"too many",
       with({{"type", "Sequence"},
             {"pretokenizers", std::vector<Json>(17, Json{{"type", "Digits"}})}}),
       kBad, "pre_tokenizer: found 17 components, expected at most 16"},
      {"list type", with({{"type", "Sequence"}, {"pretokenizers", 3}}), kBad,
       "pre_tokenizer.pretokenizers: found 3, expected an array"},
      {"sequence field", with({{"type", "Sequence"}, {"pretokenizers", {bytes}}, {"x", 1}}), kNo,
       "pre_tokenizer.x: found an unknown field, expected one of type, pretokenizers"},
      {"ByteLevel field", with({{"type", "ByteLevel"}, {"invert", true}}), kNo,
       "pre_tokenizer.invert: found an unknown field, expected one of type, add_prefix_space, "
       "trim_offsets, use_regex"},
      {"ByteLevel flag", with({{"type", "ByteLevel"}, {"use_regex", "yes"}}), kBad,
       "pre_tokenizer.use_regex: found \"yes\", expected true or false"},
      {"behavior", split("behavior", "Dropped"), kNo,
       at + "behavior: found \"Dropped\", expected Isolated, Removed, MergedWithPrevious, "
            "MergedWithNext or Contiguous"},
      {"pattern type", split("pattern", "a"), kBad,
       at + "pattern: found \"a\", expected an object"},
      {"pattern kind", split("pattern", {{"Glob", "a"}}), kNo,
       at + "pattern.Glob: found an unknown field, expected one of Regex, String"},
      {"both patterns", split("pattern", {{"Regex", "a"}, {"String", "a"}}), kBad,
       at + "pattern: found an object, expected either Regex or String"},
      {"empty pattern", split("pattern", {{"Regex", ""}}), kBad,
       at + "pattern.Regex: found \"\", expected a pattern"},
      {"open group", split("pattern", {{"Regex", "(a"}}), kBad,
       at + "pattern.Regex: found the pattern \"(a\" (missing closing parenthesis), expected a "
            "regular expression"},
      {"long pattern", split("pattern", {{"Regex", std::string(4097, 'a')}}), kBad,
       at + "pattern.Regex: found a pattern of 4097 bytes, expected at most 4096"},
      {"word boundary", split("pattern", {{"Regex", "a\\b"}}), kNo,
       at +
           "pattern.Regex: found \\b at byte 1, expected a construct that PCRE2 and Oniguruma read "
           "alike"},
      {"invert", split("invert", 0), kBad, at + "invert: found 0, expected true or false"},
      {"digits flag", with({{"type", "Digits"}, {"individual_digits", 1}}), kBad,
       "pre_tokenizer.individual_digits: found 1, expected true or false"},
  });
}

TEST(TokenizerMalformed, PostProcessorAndDecoder) {
  const auto post = [](Json value) { return [=](Json& j) { j["post_processor"] = value; }; };
  const auto decoder = [](Json value) { return [=](Json& j) { j["decoder"] = value; }; };
  const Json text = {{"Sequence", {{"id", "A"}}}};
  const Json token = {{"SpecialToken", {{"id", "<s>"}}}};
  const auto process = [&](Json single, Json special) {
    return post({{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}});
  };
  const std::string shape = "expected one text with at most one special token before it";
  ExpectErrors({
      {"bert", post({{"type", "BertProcessing"}}), kNo,
       "post_processor.type: found \"BertProcessing\", expected ByteLevel, TemplateProcessing or "
       "Sequence"},
      {"no single", post({{"type", "TemplateProcessing"}}), kBad,
       "post_processor.single: found nothing, expected this field"},
      {"end token", process({text, token}, Json::object()), kNo,
       "post_processor.single: found an array, " + shape},
      {"two tokens", process({token, token, text}, Json::object()), kNo,
       "post_processor.single: found an array, " + shape},
      {"nothing", process(Json::array(), Json::object()), kNo,
       "post_processor.single: found an array, " + shape},
      {"unlisted token", process({token, text}, Json::object()), kBad,
       "post_processor.special_tokens.<s>: found nothing, expected this field"},
      {"two ids", process({token, text}, {{"<s>", {{"ids", {1, 2}}}}}), kBad,
       "post_processor.special_tokens.<s>.ids: found an array, expected one id"},
      {"id type", process({token, text}, {{"<s>", {{"ids", {"x"}}}}}), kBad,
       "post_processor.special_tokens.<s>.ids: found an array, expected one id"},
      {"id without a token", process({token, text}, {{"<s>", {{"ids", {299}}}}}), kBad,
       "post_processor.special_tokens.<s>.ids: found 299, expected the id of a token"},
      {"no decoder", decoder(nullptr), kNo, "decoder: found 0 components, expected ByteLevel"},
      {"word piece", decoder({{"type", "WordPiece"}}), kNo,
       "decoder.type: found \"WordPiece\", expected ByteLevel"},
      {"two decoders",
       decoder({{"type", "Sequence"}, {"decoders", {{{"type", "Fuse"}}, {{"type", "Strip"}}}}}),
       kNo, "decoder: found 2 components, expected ByteLevel"},
  });
}

}  // namespace
}  // namespace ringlet
