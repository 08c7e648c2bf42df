// Small tokenizers for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "io/byte_alphabet.h"

namespace ringlet {

using MergeList = std::vector<std::pair<std::string, std::string>>;

// A tokenizer.json with the 256 bytes as ids 0 to 255, the results of `merges` (spelt in the byte
// alphabet) from 256 on, GPT-2's pre-tokenizer and no added tokens.
inline Json TinyTokenizerJson(const MergeList& merges) {
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    vocab[AlphabetFromBytes(std::string_view(&c, 1))] = byte;
  }
  Json list = Json::array();
  int id = 256;
  for (const auto& [left, right] : merges) {
    if (!vocab.contains(left + right)) vocab[left + right] = id++;
    list.push_back(left + " " + right);
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", byte_level},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", ""},
            {"end_of_word_suffix", ""},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", list}}}};
}

inline MergeList EnglishMerges() {
  return {{"h", "e"}, {"l", "l"},   {"he", "ll"}, {"hell", "o"}, {"Ġ", "w"},
          {"o", "r"}, {"Ġw", "or"}, {"l", "d"},   {"Ġ", "Ġ"},    {"ĠĠ", "ĠĠ"},
          {"a", "a"}, {"aa", "aa"}, {"Ċ", "Ċ"},   {"ð", "Ł"},    {"ðŁ", "ĺ"}};
}

inline Json AddedTokenJson(int id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

}  // namespace ringlet
