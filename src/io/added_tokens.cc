#include "io/added_tokens.h"

#include <algorithm>

#include <utf8proc.h>

#include "io/utf8.h"

namespace ringlet {
namespace {

bool IsWordChar(std::string_view character) {
  if (character.empty()) return false;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(DecodeUtf8Char(character)))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

std::string_view FirstUtf8Char(std::string_view text) {
  return text.substr(0, Utf8CharLength(text.substr(0, 4)));
}

bool IsAlone(std::string_view text, size_t begin, size_t end) {
  return !IsWordChar(LastUtf8Char(text.substr(0, begin))) &&
         !IsWordChar(FirstUtf8Char(text.substr(end)));
}

// Where the white space that ends at `end` begins, not before `limit`.
size_t SpaceBegin(std::string_view text, size_t limit, size_t end) {
  while (end > limit) {
    const std::string_view last = LastUtf8Char(text.substr(limit, end - limit));
    if (last.empty() || !IsUnicodeSpace(DecodeUtf8Char(last))) break;
    end -= last.size();
  }
  return end;
}

size_t SpaceEnd(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const std::string_view next = FirstUtf8Char(text.substr(begin));
    if (next.empty() || !IsUnicodeSpace(DecodeUtf8Char(next))) break;
    begin += next.size();
  }
  return begin;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::ranges::sort(tokens_, {}, &AddedToken::content);
  for (const AddedToken& token : tokens_) ++first_[static_cast<uint8_t>(token.content[0]) + 1u];
  for (size_t byte = 1; byte < first_.size(); ++byte) first_[byte] += first_[byte - 1];
}

const AddedToken* AddedTokenMatcher::Match(std::string_view text) const {
  const uint8_t lead = static_cast<uint8_t>(text[0]);
  auto begin = tokens_.begin() + first_[lead];
  auto end = tokens_.begin() + first_[lead + 1u];
  const AddedToken* longest = nullptr;
  // [begin, end) are the tokens that agree with the first `length` bytes of the text. Among them
  // those of just that length sort first.
  for (size_t length = 1; begin != end; ++length) {
    while (begin != end && begin->content.size() == length) longest = &*begin++;
    if (length == text.size()) break;
    const uint8_t byte = static_cast<uint8_t>(text[length]);
    const auto byte_at = [length](const AddedToken& token) {
      return static_cast<uint8_t>(token.content[length]);
    };
    begin =
        std::partition_point(begin, end, [&](const auto& token) { return byte_at(token) < byte; });
    end =
        std::partition_point(begin, end, [&](const auto& token) { return byte_at(token) <= byte; });
  }
  return longest;
}

std::vector<TextSegment> AddedTokenMatcher::Split(std::string_view text) const {
  std::vector<TextSegment> segments;
  size_t done = 0;
  size_t at = tokens_.empty() ? text.size() : 0;
  while (at < text.size()) {
    const uint8_t lead = static_cast<uint8_t>(text[at]);
    const AddedToken* token = first_[lead] == first_[lead + 1u] ? nullptr : Match(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    const size_t found_end = at + token->content.size();
    if (token->single_word && !IsAlone(text, at, found_end)) {
      at = found_end;
      continue;
    }
    const size_t begin = token->lstrip ? SpaceBegin(text, done, at) : at;
    const size_t end = token->rstrip ? SpaceEnd(text, found_end) : found_end;
    if (begin > done) segments.push_back({-1, text.substr(done, begin - done)});
    segments.push_back({token->id, text.substr(begin, end - begin)});
    done = at = end;
  }
  if (done < text.size()) segments.push_back({-1, text.substr(done)});
  return segments;
}

}  // namespace ringlet
