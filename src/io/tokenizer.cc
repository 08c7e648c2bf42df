#include "io/tokenizer.h"

#include <algorithm>

#include <fmt/format.h>

#include "io/tokenizer_parts.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

// Shorter texts do not repeat enough to pay for a cache.
constexpr size_t kCacheTextBytes = 4096;

AddedTokenMatcher Matcher(const std::vector<AddedToken>& tokens, bool normalized, bool special) {
  std::vector<AddedToken> chosen;
  for (const AddedToken& token : tokens) {
    if (token.normalized == normalized && (special || !token.special)) chosen.push_back(token);
  }
  return AddedTokenMatcher(std::move(chosen));
}

}  // namespace

Tokenizer::Tokenizer(Parts parts)
    : vocabulary_(std::move(parts.vocabulary)),
      bpe_(parts.byte_ids, parts.merges, parts.bpe_options, vocabulary_),
      pre_tokenizer_(std::move(parts.stages)),
      normalizers_(std::move(parts.normalizers)),
      raw_parse_(Matcher(parts.added_tokens, false, true)),
      raw_text_(Matcher(parts.added_tokens, false, false)),
      special_(std::move(parts.special)),
      added_(std::move(parts.added_tokens)),
      bos_id_(parts.bos_id),
      adds_bos_(parts.adds_bos),
      eos_ids_(std::move(parts.eos_ids)) {
  // A token that asks for normalized text is written in normalized form there.
  std::vector<AddedToken> normalized = added_;
  for (AddedToken& token : normalized) {
    for (const NormalForm form : normalizers_) token.content = NormalizeUtf8(token.content, form);
  }
  normalized_parse_ = Matcher(normalized, true, true);
  normalized_text_ = Matcher(normalized, true, false);
  std::ranges::sort(added_, {}, &AddedToken::content);
}

// One call of Encode: the scratch memory that its steps share.
class Tokenizer::EncodeRun : public PieceSink {
 public:
  EncodeRun(const Tokenizer& tokenizer, size_t text_bytes)
      : tokenizer_(tokenizer), scratch_(text_bytes) {
    if (text_bytes >= kCacheTextBytes) cache_.emplace();
  }

  Result<std::vector<int32_t>> Run(std::string_view text, SpecialTokens mode) {
    const bool parse = mode == SpecialTokens::kParse;
    const auto& raw = parse ? tokenizer_.raw_parse_ : tokenizer_.raw_text_;
    const auto& normalized = parse ? tokenizer_.normalized_parse_ : tokenizer_.normalized_text_;
    for (const TextSegment& segment : raw.Split(text)) {
      if (segment.id >= 0) {
        ids_.push_back(segment.id);
        continue;
      }
      std::string buffer;
      const std::string_view plain = Normalize(segment.text, buffer);
      for (const TextSegment& part : normalized.Split(plain)) {
        if (part.id >= 0) {
          ids_.push_back(part.id);
          continue;
        }
        RINGLET_RETURN_IF_ERROR(tokenizer_.pre_tokenizer_.Split(part.text, scratch_, *this));
      }
    }
    return std::move(ids_);
  }

  void Piece(std::string_view piece) override {
    tokenizer_.bpe_.Encode(piece, cache_ ? &*cache_ : nullptr, ids_);
  }

 private:
  // The valid stretches of `text` in normal form, invalid bytes as they are. The result may lie in
  // `buffer`.
  std::string_view Normalize(std::string_view text, std::string& buffer) const {
    for (const NormalForm form : tokenizer_.normalizers_) {
      std::string next;
      next.reserve(text.size());
      while (!text.empty()) {
        const size_t valid = ValidUtf8Prefix(text);
        next += NormalizeUtf8(text.substr(0, valid), form);
        next += text.substr(valid, 1);
        text.remove_prefix(std::min(valid + 1, text.size()));
      }
      buffer = std::move(next);
      text = buffer;
    }
    return text;
  }

  const Tokenizer& tokenizer_;
  RegexScratch scratch_;
  std::optional<BpeCache> cache_;
  std::vector<int32_t> ids_;
};

Result<std::vector<int32_t>> Tokenizer::Encode(std::string_view text, SpecialTokens mode) const {
  if (text.size() > kMaxTextBytes) {
    return Status(StatusCode::kResource, fmt::format("text: found {} bytes, expected at most {}",
                                                     text.size(), kMaxTextBytes));
  }
  return EncodeRun(*this, text.size()).Run(text, mode);
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  for (const int32_t id : ids) {
    if (skip_special && IsSpecial(id)) continue;
    text += TokenBytes(id);
  }
  return text;
}

bool Tokenizer::IsSpecial(int32_t id) const {
  return id >= 0 && id < vocab_size() && special_[static_cast<size_t>(id)];
}

std::optional<int32_t> Tokenizer::IdOf(std::string_view text) const {
  const auto added = std::ranges::lower_bound(
      added_, text, {}, [](const AddedToken& token) { return std::string_view(token.content); });
  if (added != added_.end() && added->content == text) return added->id;
  const int32_t id = vocabulary_.Find(text);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::string StreamDecoder::Push(int32_t id) {
  if (skip_special_ && tokenizer_->IsSpecial(id)) return {};
  held_ += tokenizer_->TokenBytes(id);
  const size_t ready = held_.size() - IncompleteUtf8Suffix(held_);
  std::string text = ReplaceInvalidUtf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return text;
}

std::string StreamDecoder::Finish() {
  std::string text = ReplaceInvalidUtf8(held_);
  held_.clear();
  return text;
}

}  // namespace ringlet
