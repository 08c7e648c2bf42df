// Byte-level BPE tokenizers: text to token ids and back.
//
// Reads tokenizer.json and the tokenizer.ggml.* metadata of GGUF. Any bytes encode: invalid UTF-8
// goes through byte by byte, and when the vocabulary has all 256 bytes and the tokenizer neither
// normalizes nor adds spaces nor strips, Decode(Encode(bytes)) == bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/added_tokens.h"
#include "io/bpe.h"
#include "io/normalizer.h"
#include "io/pretokenizer.h"
#include "io/vocabulary.h"

namespace ringlet {

class GgufFile;
struct TokenizerData;

// What the text of a special token becomes.
enum class SpecialTokens {
  kParse,  // its id: text that a chat template made
  kText,   // ordinary text: what users typed must not turn into control tokens
};

// Immutable; any number of threads may use one.
class Tokenizer {
 public:
  static constexpr int32_t kMaxIds = 1 << 24;
  static constexpr size_t kMaxTextBytes = size_t{1} << 30;

  // Errors name `source`, the field, what was found and what was expected; components that are well
  // formed but not implemented are kUnsupported.
  static Result<std::shared_ptr<const Tokenizer>> FromJson(std::string_view text,
                                                           const std::string& source);
  static Result<std::shared_ptr<const Tokenizer>> FromJsonFile(const std::string& path);
  static Result<std::shared_ptr<const Tokenizer>> FromGguf(const GgufFile& file);
  static Result<std::shared_ptr<const Tokenizer>> Build(TokenizerData data);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // The ids of `text`, without a BOS. Added tokens that are not special are found in both modes.
  // Bytes without a token become the model's unknown token, or nothing when it has none or a
  // special one: in kText no special token comes out, whatever the text. Errors are kResource: a
  // text above kMaxTextBytes, or a pre-tokenizer pattern from the file that backtracks without end.
  Result<std::vector<int32_t>> Encode(std::string_view text, SpecialTokens mode) const;

  // The bytes of the ids, one after another: not always valid UTF-8 (StreamDecoder makes it so).
  // Ids that have no token, such as those that pad a model's vocabulary, add nothing.
  std::string Decode(std::span<const int32_t> ids, bool skip_special) const;

  // Empty for ids without a token.
  std::string_view TokenBytes(int32_t id) const { return vocabulary_.Bytes(id); }
  bool IsToken(int32_t id) const { return vocabulary_.Defined(id); }
  bool IsSpecial(int32_t id) const;
  // The id of the added token with this content, else of the token with these bytes.
  std::optional<int32_t> IdOf(std::string_view text) const;

  // One above the highest id. A model's embedding may have more rows.
  int32_t vocab_size() const { return vocabulary_.size(); }
  std::optional<int32_t> bos_id() const { return bos_id_; }
  // Whether prompts begin with bos_id(), which is then set. Encode never adds it.
  bool adds_bos() const { return adds_bos_; }
  // The end tokens that the tokenizer's own file names: none in tokenizer.json.
  const std::vector<int32_t>& eos_ids() const { return eos_ids_; }
  // False when some byte has no token and can get lost in Encode.
  bool covers_all_bytes() const { return bpe_.CoversAllBytes(); }

 private:
  friend class TokenizerBuilder;
  struct Parts;
  class EncodeRun;

  explicit Tokenizer(Parts parts);

  Vocabulary vocabulary_;
  Bpe bpe_;
  PreTokenizer pre_tokenizer_;
  std::vector<NormalForm> normalizers_;
  // Added tokens found in the text as it is, then in the normalized text; the second of each pair
  // without the special ones.
  AddedTokenMatcher raw_parse_, raw_text_;
  AddedTokenMatcher normalized_parse_, normalized_text_;
  std::vector<bool> special_;
  std::vector<AddedToken> added_;  // sorted by content
  std::optional<int32_t> bos_id_;
  bool adds_bos_;
  std::vector<int32_t> eos_ids_;
};

// Turns ids into text while they arrive. Characters that span tokens are held back until complete,
// so that every piece handed out is valid UTF-8; bytes that can never become a character are
// U+FFFD.
class StreamDecoder {
 public:
  StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

  // The text that `id` completes; often empty.
  std::string Push(int32_t id);
  // What is held back, as U+FFFD. The decoder is as new afterwards.
  std::string Finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  std::string held_;  // at most 3 bytes
};

}  // namespace ringlet
