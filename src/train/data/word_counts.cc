#include "train/data/word_counts.h"

#include <algorithm>

#include "base/hasher.h"

namespace ringlet {

void WordCounts::Add(std::string_view word, uint64_t count) {
  if (count == 0) return;
  const uint64_t hash = HashText(word);
  const size_t mask = entries_.size() - 1;
  size_t slot = hash & mask;
  while (entries_[slot].count != 0) {
    Entry& entry = entries_[slot];
    if (entry.hash == hash && TextOf(entry) == word) {
      entry.count += count;
      return;
    }
    slot = (slot + 1) & mask;
  }
  entries_[slot] = {hash, text_.size(), word.size(), count};
  text_ += word;
  if (++used_ * 2 > entries_.size()) Grow();
}

void WordCounts::Grow() {
  std::vector<Entry> old(entries_.size() * 2);
  old.swap(entries_);
  const size_t mask = entries_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.count == 0) continue;
    size_t slot = entry.hash & mask;
    while (entries_[slot].count != 0) slot = (slot + 1) & mask;
    entries_[slot] = entry;
  }
}

void WordCounts::AddAll(const WordCounts& other) {
  // Words in the order of their hashes would pile up at the front of a table that grows meanwhile.
  while ((used_ + other.used_) * 2 > entries_.size()) Grow();
  for (const Entry& entry : other.entries_) {
    if (entry.count > 0) Add(other.TextOf(entry), entry.count);
  }
}

std::vector<WordCounts::Word> WordCounts::Sorted() const {
  std::vector<Word> words;
  words.reserve(used_);
  for (const Entry& entry : entries_) {
    if (entry.count > 0) words.push_back({TextOf(entry), entry.count});
  }
  std::ranges::sort(words, {}, &Word::text);
  return words;
}

}  // namespace ringlet
