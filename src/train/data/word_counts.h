// How often each word (any bytes) occurs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

class WordCounts {
 public:
  struct Word {
    std::string_view text;  // valid until the counts change
    uint64_t count = 0;
  };

  WordCounts() : entries_(kInitialSlots) {}

  void Add(std::string_view word, uint64_t count = 1);
  void AddAll(const WordCounts& other);
  // In byte order.
  std::vector<Word> Sorted() const;
  uint64_t size() const { return used_; }
  uint64_t text_bytes() const { return text_.size(); }

 private:
  static constexpr size_t kInitialSlots = 1024;  // a power of two

  // A slot of the table, open addressing; count 0 is empty.
  struct Entry {
    uint64_t hash = 0;
    uint64_t offset = 0;
    uint64_t length = 0;
    uint64_t count = 0;
  };

  std::string_view TextOf(const Entry& entry) const {
    return std::string_view(text_).substr(entry.offset, entry.length);
  }
  void Grow();

  std::vector<Entry> entries_;
  std::string text_;
  uint64_t used_ = 0;
};

}  // namespace ringlet
