// Shards: the token ids of many documents in one file, mapped and read in place. docs/data.md has
// the layout.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace ringlet {

struct ShardHeader {
  uint32_t token_bytes = 2;   // 2 or 4 a token
  uint64_t tokens = 0;        // at least one
  uint64_t documents = 0;     // at least one; none is empty
  uint64_t text_bytes = 0;    // of the documents before they were tokens
  uint64_t vocab_size = 0;    // every id is below it
  uint64_t vocabulary = 0;    // VocabularyFingerprint
  uint64_t tokens_hash = 0;   // XXH3 of the tokens with their padding
  uint64_t offsets_hash = 0;  // XXH3 of the document offsets
};

// Immutable; any number of threads may read one.
class Shard {
 public:
  static constexpr uint64_t kMaxVocab = uint64_t{1} << 24;

  // Checks the header, the document offsets and both their checksums, but reads no token. Errors
  // name the file, the field, what was found and what was expected.
  static Result<std::shared_ptr<const Shard>> Open(const std::string& path);
  // `bytes` must stay valid while `owner` lives.
  static Result<std::shared_ptr<const Shard>> Parse(std::span<const std::byte> bytes,
                                                    std::string source,
                                                    std::shared_ptr<const void> owner);

  const ShardHeader& header() const { return header_; }
  const std::string& source() const { return source_; }

  // Where document `d` begins, in tokens; d == documents: the end of the last one.
  uint64_t DocumentStart(uint64_t d) const;
  // The first document that begins at or after `token`; `documents` when there is none.
  uint64_t FirstDocumentFrom(uint64_t token) const;

  // Tokens [begin, begin + out.size()), which must be in the shard. An error when an id is not in
  // the vocabulary: the file is damaged.
  Status Read(uint64_t begin, std::span<int32_t> out) const;

  // Reads every token: an error unless they are those that were written.
  Status Verify() const;

 private:
  Shard(ShardHeader header, std::span<const std::byte> bytes, std::string source,
        std::shared_ptr<const void> owner)
      : header_(header), bytes_(bytes), source_(std::move(source)), owner_(std::move(owner)) {}

  std::span<const std::byte> TokenBytes() const;  // with padding
  std::span<const std::byte> OffsetBytes() const;
  Status CheckOffsets() const;

  ShardHeader header_;
  std::span<const std::byte> bytes_;
  std::string source_;
  std::shared_ptr<const void> owner_;
};

// Collects the documents of one shard in memory.
class ShardBuffer {
 public:
  ShardBuffer(uint64_t vocab_size, uint64_t vocabulary);

  // `ids` must be below the vocabulary's size; an empty document is left out.
  void Append(std::span<const int32_t> ids, uint64_t text_bytes);
  uint64_t tokens() const { return header_.tokens; }
  uint64_t documents() const { return header_.documents; }

  // Writes the shard beside `path`, syncs it and gives it its name; then the buffer is empty.
  // Returns the header. At least one document.
  Result<ShardHeader> Write(const std::string& path);

 private:
  void Clear();

  ShardHeader header_;
  std::vector<uint8_t> tokens_;
  std::vector<uint64_t> offsets_;
};

}  // namespace ringlet
