// The merging half of the BPE trainer. All words lie behind one another in one list of tokens with
// links to the neighbours within the word; each pair knows its places, so that a merge touches only
// those.
#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "io/byte_alphabet.h"
#include "io/tokenizer.h"
#include "train/data/bpe_trainer.h"
#include "train/data/pair_table.h"

namespace ringlet {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMaxSymbols = uint64_t{1} << 31;
constexpr size_t kProgressEvery = 16;  // merges

struct Symbol {
  int32_t token = -1;  // -1: it was joined to the one before
  uint32_t previous = kNone;
  uint32_t next = kNone;
  uint32_t word = 0;
};

// A pair that was this frequent when it was queued.
struct Candidate {
  int64_t count = 0;
  uint64_t key = 0;
  // For a queue whose top is the most frequent, then the lowest pair.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : key > other.key;
  }
};

class Merger {
 public:
  Merger(std::span<const WordCounts::Word> words, const BpeTrainerOptions& options)
      : words_(words), options_(options) {}

  Result<TrainedBpe> Run() {
    RINGLET_RETURN_IF_ERROR(StartVocabulary());
    RINGLET_RETURN_IF_ERROR(Load());
    const size_t wanted = static_cast<size_t>(options_.vocab_size);
    const size_t first = size();
    while (size() < wanted && !queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const int64_t count = pairs_[top.key].count;
      if (count != top.count) {
        if (count > 0) queue_.push({count, top.key});
        continue;
      }
      if (count < std::max<int64_t>(options_.min_count, 1)) break;
      Apply(top.key);
      const bool report = options_.merging && (size() - first) % kProgressEvery == 0;
      if (report && !options_.merging(size() - first, wanted - first)) {
        return Status(StatusCode::kCancelled, "stopped while merging");
      }
    }
    return std::move(result_);
  }

 private:
  size_t size() const { return result_.special_tokens.size() + result_.tokens.size(); }

  // Special tokens, then the bytes in the order of their characters in the byte alphabet.
  Status StartVocabulary() {
    result_.special_tokens = options_.special_tokens;
    result_.pattern = options_.pattern;
    const int64_t least = static_cast<int64_t>(options_.special_tokens.size()) + 256;
    if (options_.vocab_size < least || options_.vocab_size > Tokenizer::kMaxIds) {
      return BadInput(
          "vocabulary", "", fmt::to_string(options_.vocab_size),
          fmt::format("{} (special tokens and bytes) to {}", least, Tokenizer::kMaxIds));
    }
    std::vector<std::pair<std::string, uint8_t>> alphabet;
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      alphabet.emplace_back(AlphabetFromBytes({&c, 1}), static_cast<uint8_t>(byte));
    }
    std::ranges::sort(alphabet);  // UTF-8 sorts as code points do
    for (const auto& [spelling, byte] : alphabet) {
      byte_ids_[byte] = static_cast<int32_t>(size());
      ids_.emplace(std::string(1, static_cast<char>(byte)), byte_ids_[byte]);
      result_.tokens.emplace_back(1, static_cast<char>(byte));
    }
    for (const std::string& token : options_.special_tokens) {
      // Text could otherwise spell it, or the file would hold one key twice.
      const bool of_alphabet =
          std::ranges::any_of(alphabet, [&](const auto& entry) { return entry.first == token; });
      if (token.empty() || of_alphabet || token.size() > AddedTokenMatcher::kMaxContentBytes ||
          !forbidden_.insert(token).second) {
        return BadInput("special token", "", Quote(token),
                        "different names, longer than one character");
      }
    }
    return Status::Ok();
  }

  Status Load() {
    uint64_t total = 0;
    for (const WordCounts::Word& word : words_) total += word.text.size();
    if (total > kMaxSymbols) {
      return Status(StatusCode::kResource,
                    fmt::format("text: found {} bytes of different words, expected at most {}",
                                total, kMaxSymbols));
    }
    symbols_.reserve(total);
    for (size_t w = 0; w < words_.size(); ++w) {
      const std::string_view text = words_[w].text;
      for (size_t i = 0; i < text.size(); ++i) {
        const auto at = static_cast<uint32_t>(symbols_.size());
        Symbol symbol{byte_ids_[static_cast<uint8_t>(text[i])], kNone, kNone,
                      static_cast<uint32_t>(w)};
        if (i > 0) {
          symbol.previous = at - 1;
          symbols_[at - 1].next = at;
          PairInfo& info = pairs_[PairTable::KeyOf(symbols_[at - 1].token, symbol.token)];
          info.count += static_cast<int64_t>(words_[w].count);
          info.places.push_back(at - 1);
        }
        symbols_.push_back(symbol);
      }
    }
    pairs_.ForEach([&](uint64_t key, const PairInfo& info) { queue_.push({info.count, key}); });
    return Status::Ok();
  }

  int64_t WeightAt(uint32_t at) const {
    return static_cast<int64_t>(words_[symbols_[at].word].count);
  }

  // Joins the pair everywhere, as a new token unless its bytes already are one.
  void Apply(uint64_t key) {
    const int32_t left = PairTable::LeftOf(key);
    const int32_t right = PairTable::RightOf(key);
    std::vector<uint32_t> places = std::move(pairs_[key].places);
    pairs_[key] = {};
    const int32_t joined = ResultOf(key, left, right);
    if (joined < 0) return;
    // Leftmost first, so that of "aaa" the first two are joined.
    std::ranges::sort(places);
    changed_.clear();
    for (const uint32_t at : places) {
      if (symbols_[at].token == left && symbols_[at].next != kNone &&
          symbols_[symbols_[at].next].token == right) {
        Join(at, joined);
      }
    }
    // Overlapping places ("aaa") were taken off once more.
    pairs_[key].count = 0;
    std::ranges::sort(changed_);
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const uint64_t pair : changed_) {
      if (const int64_t count = pairs_[pair].count; count > 0) queue_.push({count, pair});
    }
  }

  // The id that the pair becomes; -1 when it must not be joined.
  int32_t ResultOf(uint64_t key, int32_t left, int32_t right) {
    if (const auto known = merged_.find(key); known != merged_.end()) return known->second;
    std::string bytes = TokenBytes(left) + TokenBytes(right);
    if (forbidden_.contains(AlphabetFromBytes(bytes))) return -1;
    const auto [entry, is_new] = ids_.emplace(bytes, static_cast<int32_t>(size()));
    if (is_new) result_.tokens.push_back(std::move(bytes));
    result_.merges.push_back({left, right, entry->second});
    merged_.emplace(key, entry->second);
    return entry->second;
  }

  const std::string& TokenBytes(int32_t id) const {
    return result_.tokens[static_cast<size_t>(id) - result_.special_tokens.size()];
  }

  void Join(uint32_t at, int32_t joined) {
    Symbol& symbol = symbols_[at];
    const uint32_t gone = symbol.next;
    const int64_t weight = WeightAt(at);
    const uint32_t before = symbol.previous;
    const uint32_t after = symbols_[gone].next;
    if (before != kNone) {
      const int32_t token = symbols_[before].token;
      pairs_[PairTable::KeyOf(token, symbol.token)].count -= weight;
      Gain(PairTable::KeyOf(token, joined), weight, before);
    }
    if (after != kNone) {
      const int32_t token = symbols_[after].token;
      pairs_[PairTable::KeyOf(symbols_[gone].token, token)].count -= weight;
      Gain(PairTable::KeyOf(joined, token), weight, at);
      symbols_[after].previous = at;
    }
    symbol.token = joined;
    symbol.next = after;
    symbols_[gone].token = -1;
  }

  void Gain(uint64_t key, int64_t weight, uint32_t at) {
    PairInfo& info = pairs_[key];
    info.count += weight;
    info.places.push_back(at);
    changed_.push_back(key);
  }

  std::span<const WordCounts::Word> words_;
  const BpeTrainerOptions& options_;
  TrainedBpe result_;
  std::array<int32_t, 256> byte_ids_{};
  std::unordered_map<std::string, int32_t> ids_;  // of bytes
  std::unordered_map<uint64_t, int32_t> merged_;
  std::unordered_set<std::string> forbidden_;  // spellings of special tokens
  std::vector<Symbol> symbols_;
  PairTable pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<uint64_t> changed_;  // by the merge in progress
};

}  // namespace

Result<TrainedBpe> MergePairs(std::span<const WordCounts::Word> words,
                              const BpeTrainerOptions& options) {
  return Merger(words, options).Run();
}

}  // namespace ringlet
