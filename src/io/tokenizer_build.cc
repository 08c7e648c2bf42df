#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "io/byte_alphabet.h"
#include "io/tokenizer_data.h"
#include "io/tokenizer_parts.h"

namespace ringlet {
namespace {

// A file must define this share of the ids it spans, beyond a margin, so that one line with a huge
// id cannot ask for gigabytes.
constexpr int64_t kMaxSparseness = 4;
constexpr int64_t kSparsenessMargin = 65536;

}  // namespace

class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(TokenizerData data) : data_(std::move(data)) {}

  Result<std::shared_ptr<const Tokenizer>> Run() {
    RINGLET_ASSIGN_OR_RETURN(const int32_t size, CountIds());
    Tokenizer::Parts parts(size);
    RINGLET_RETURN_IF_ERROR(IndexVocab());
    RINGLET_RETURN_IF_ERROR(AddAddedTokens(parts));
    AddVocab(parts);
    RINGLET_RETURN_IF_ERROR(AddMerges(parts));
    RINGLET_RETURN_IF_ERROR(AddUnknown(parts));
    RINGLET_RETURN_IF_ERROR(AddEnds(parts));
    parts.stages = std::move(data_.stages);
    parts.normalizers = std::move(data_.normalizers);
    return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(parts)));
  }

 private:
  Status Bad(std::string_view field, std::string_view found, std::string_view expected) const {
    return BadInput(data_.source, field, found, expected);
  }
  std::string AddedField(size_t i, std::string_view key) const {
    return fmt::format("{}[{}].{}", data_.added_field, i, key);
  }

  // One above the highest id, after checking each id's range and that together they are dense.
  Result<int32_t> CountIds() const {
    int32_t highest = -1;
    const auto check = [&](int32_t id) {
      highest = std::max(highest, id);
      return id >= 0 && id < Tokenizer::kMaxIds;
    };
    const std::string range = fmt::format("0 to {}", Tokenizer::kMaxIds - 1);
    for (const auto& [token, id] : data_.vocab) {
      if (!check(id)) {
        return Bad(data_.vocab_field, fmt::format("id {} for {}", id, Quote(token)), range);
      }
    }
    for (size_t i = 0; i < data_.added_tokens.size(); ++i) {
      const int32_t id = data_.added_tokens[i].id;
      if (!check(id)) return Bad(AddedField(i, "id"), fmt::format("{}", id), range);
    }
    const int64_t count = static_cast<int64_t>(data_.vocab.size() + data_.added_tokens.size());
    if (data_.vocab.empty()) return Bad(data_.vocab_field, "no tokens", "at least one");
    if (highest + 1 > kMaxSparseness * count + kSparsenessMargin) {
      return Bad(data_.vocab_field, fmt::format("id {} with {} tokens", highest, count),
                 "ids without large gaps");
    }
    return highest + 1;
  }

  Status IndexVocab() {
    id_of_.reserve(data_.vocab.size());
    std::unordered_map<int32_t, std::string_view> owners;
    owners.reserve(data_.vocab.size());
    for (const auto& [token, id] : data_.vocab) {
      if (!id_of_.emplace(token, id).second) {
        return Bad(data_.vocab_field, fmt::format("{} twice", Quote(token)), "each token once");
      }
      const auto [owner, added] = owners.emplace(id, token);
      if (!added) {
        return Bad(data_.vocab_field,
                   fmt::format("id {} for {} and {}", id, Quote(owner->second), Quote(token)),
                   "each id once");
      }
      if (token.empty()) return Bad(data_.vocab_field, "an empty token", "at least one character");
    }
    vocab_owners_ = std::move(owners);
    return Status::Ok();
  }

  // Before the vocabulary, so that the content of an added token that is also spelt there wins:
  // such tokens are plain text, not the byte alphabet.
  Status AddAddedTokens(Tokenizer::Parts& parts) {
    std::unordered_set<std::string_view> contents;
    for (size_t i = 0; i < data_.added_tokens.size(); ++i) {
      const AddedToken& token = data_.added_tokens[i];
      if (token.content.empty() || token.content.size() > AddedTokenMatcher::kMaxContentBytes) {
        return Bad(AddedField(i, "content"), fmt::format("{} bytes", token.content.size()),
                   fmt::format("1 to {}", AddedTokenMatcher::kMaxContentBytes));
      }
      if (!contents.insert(token.content).second) {
        return Bad(AddedField(i, "content"), fmt::format("{} again", Quote(token.content)),
                   "each token once");
      }
      if (parts.vocabulary.Defined(token.id)) {
        return Bad(AddedField(i, "id"), fmt::format("{} again", token.id), "each id once");
      }
      RINGLET_RETURN_IF_ERROR(CheckAgainstVocab(i));
      parts.vocabulary.Set(token.id, token.content);
      parts.special[static_cast<size_t>(token.id)] = token.special;
    }
    parts.added_tokens = std::move(data_.added_tokens);
    return Status::Ok();
  }

  Status CheckAgainstVocab(size_t i) const {
    const AddedToken& token = data_.added_tokens[i];
    const auto spelt = id_of_.find(token.content);
    if (spelt != id_of_.end() && spelt->second != token.id) {
      return Bad(AddedField(i, "id"), fmt::format("{} for {}", token.id, Quote(token.content)),
                 fmt::format("{}, its id in {}", spelt->second, data_.vocab_field));
    }
    const auto owner = vocab_owners_.find(token.id);
    if (owner != vocab_owners_.end() && owner->second != token.content) {
      return Bad(AddedField(i, "id"), fmt::format("{} for {}", token.id, Quote(token.content)),
                 fmt::format("an id that {} does not give to {}", data_.vocab_field,
                             Quote(owner->second)));
    }
    return Status::Ok();
  }

  // Tokens that BPE can reach get into the index: those spelt in the byte alphabet and not special.
  void AddVocab(Tokenizer::Parts& parts) const {
    std::vector<int32_t> reachable;
    reachable.reserve(data_.vocab.size());
    for (const auto& [token, id] : data_.vocab) {
      const auto bytes = BytesFromAlphabet(token);
      if (!parts.vocabulary.Defined(id)) parts.vocabulary.Set(id, bytes ? *bytes : token);
      if (!bytes || parts.special[static_cast<size_t>(id)]) continue;
      if (parts.vocabulary.Bytes(id) != *bytes) continue;
      reachable.push_back(id);
      if (bytes->size() == 1) parts.byte_ids[static_cast<uint8_t>(bytes->front())] = id;
    }
    parts.vocabulary.BuildIndex(reachable);
  }

  Status AddMerges(Tokenizer::Parts& parts) const {
    std::unordered_set<uint64_t> seen;
    seen.reserve(data_.merges.size());
    parts.merges.reserve(data_.merges.size());
    std::string joined;
    for (size_t i = 0; i < data_.merges.size(); ++i) {
      const auto& [left, right] = data_.merges[i];
      joined.assign(left).append(right);
      const auto left_id = id_of_.find(left);
      const auto right_id = id_of_.find(right);
      const auto result_id = id_of_.find(joined);
      for (const auto& [id, token] : {std::pair(left_id, std::string_view(left)),
                                      std::pair(right_id, std::string_view(right)),
                                      std::pair(result_id, std::string_view(joined))}) {
        if (id == id_of_.end()) {
          return Bad(fmt::format("{}[{}]", data_.merges_field, i), Quote(token),
                     fmt::format("a token of {}", data_.vocab_field));
        }
      }
      const BpeMerge merge{left_id->second, right_id->second, result_id->second};
      const uint64_t key =
          uint64_t{static_cast<uint32_t>(merge.left)} << 32 | static_cast<uint32_t>(merge.right);
      if (!seen.insert(key).second) {
        return Bad(fmt::format("{}[{}]", data_.merges_field, i),
                   fmt::format("{} {} again", Quote(left), Quote(right)), "each pair once");
      }
      // Plain text must not become a control token, whatever the merges say.
      if (!parts.special[static_cast<size_t>(merge.result)]) parts.merges.push_back(merge);
    }
    return Status::Ok();
  }

  Status AddUnknown(Tokenizer::Parts& parts) const {
    parts.bpe_options.fuse_unk = data_.fuse_unk;
    parts.bpe_options.ignore_merges = data_.ignore_merges;
    if (!data_.unk_token) return Status::Ok();
    const auto id = id_of_.find(*data_.unk_token);
    if (id == id_of_.end()) {
      return Bad("model.unk_token", Quote(*data_.unk_token),
                 fmt::format("a token of {}", data_.vocab_field));
    }
    // A special one would let stray bytes in a user's text become a control token.
    if (!parts.special[static_cast<size_t>(id->second)]) parts.bpe_options.unk = id->second;
    return Status::Ok();
  }

  Status AddEnds(Tokenizer::Parts& parts) const {
    const auto check = [&](std::string_view name, int32_t id) {
      if (parts.vocabulary.Defined(id)) return Status::Ok();
      return Bad(name, fmt::format("{}", id), "the id of a token");
    };
    if (data_.bos_id) RINGLET_RETURN_IF_ERROR(check(data_.bos_field, *data_.bos_id));
    for (size_t i = 0; i < data_.eos_ids.size(); ++i) {
      RINGLET_RETURN_IF_ERROR(check(data_.eos_fields[i], data_.eos_ids[i]));
    }
    parts.bos_id = data_.bos_id;
    parts.adds_bos = data_.adds_bos;
    parts.eos_ids = data_.eos_ids;
    return Status::Ok();
  }

  TokenizerData data_;
  std::unordered_map<std::string_view, int32_t> id_of_;  // views into data_.vocab
  std::unordered_map<int32_t, std::string_view> vocab_owners_;
};

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Build(TokenizerData data) {
  return TokenizerBuilder(std::move(data)).Run();
}

}  // namespace ringlet
