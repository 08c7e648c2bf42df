#include "train/data/shard.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"
#include "base/checked.h"
#include "base/file.h"
#include "base/hasher.h"
#include "base/text.h"
#include "io/byte_reader.h"

namespace ringlet {
namespace {

constexpr std::string_view kMagic = "RINGDATA";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kHeaderBytes = 128;
constexpr uint64_t kHashedHeader = 120;  // the header's own checksum follows
constexpr size_t kPiece = 4096;          // tokens checked at a time

uint64_t Padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

// The size of a file with this header; nullopt when no file can be so large.
std::optional<uint64_t> FileBytes(const ShardHeader& header) {
  const auto tokens = CheckedMul(header.tokens, header.token_bytes);
  const auto padded = tokens ? CheckedAdd(*tokens, 7) : std::nullopt;
  const auto entries = CheckedAdd(header.documents, 1);
  const auto offsets = entries ? CheckedMul(*entries, 8) : std::nullopt;
  if (!padded || !offsets) return std::nullopt;
  const auto payload = CheckedAdd(*padded / 8 * 8, *offsets);
  return payload ? CheckedAdd(*payload, kHeaderBytes) : std::nullopt;
}

std::string HeaderText(const ShardHeader& header) {
  std::string text(kMagic);
  const auto add = [&](auto value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  add(kVersion);
  add(header.token_bytes);
  for (const uint64_t value :
       {header.tokens, header.documents, header.text_bytes, header.vocab_size, header.vocabulary,
        header.tokens_hash, header.offsets_hash}) {
    add(value);
  }
  text.resize(kHashedHeader, '\0');
  add(HashText(text));
  return text;
}

Status BadHash(const std::string& source, std::string_view field, uint64_t found,
               uint64_t expected) {
  return BadInput(source, field, fmt::format("checksum {:016x}", found),
                  fmt::format("{:016x}: the file is damaged", expected));
}

Result<ShardHeader> ReadHeader(std::span<const std::byte> bytes, const std::string& source) {
  if (bytes.size() < kHeaderBytes) {
    return BadInput(source, "size", fmt::format("{} bytes", bytes.size()),
                    fmt::format("a header of {}", kHeaderBytes));
  }
  ByteReader reader(bytes);
  std::string_view magic;
  reader.ReadText(kMagic.size(), &magic);
  if (magic != kMagic) return BadInput(source, "magic", Quote(magic), Quote(kMagic));
  uint32_t version = 0;
  reader.Read(&version);
  if (version != kVersion) {
    return Status(StatusCode::kUnsupported,
                  fmt::format("{}: version: found {}, expected {}", source, version, kVersion));
  }
  ShardHeader header;
  reader.Read(&header.token_bytes);
  for (uint64_t* field : {&header.tokens, &header.documents, &header.text_bytes, &header.vocab_size,
                          &header.vocabulary, &header.tokens_hash, &header.offsets_hash}) {
    reader.Read(field);
  }
  uint64_t stored = 0;
  std::memcpy(&stored, bytes.data() + kHashedHeader, sizeof(stored));
  const uint64_t hash = HashBytes(bytes.first(kHashedHeader));
  if (hash != stored) return BadHash(source, "header", hash, stored);
  return header;
}

Status CheckHeader(const ShardHeader& header, uint64_t file_bytes, const std::string& source) {
  if (header.token_bytes != 2 && header.token_bytes != 4) {
    return BadInput(source, "token_bytes", fmt::to_string(header.token_bytes), "2 or 4");
  }
  const uint64_t most = header.token_bytes == 2 ? uint64_t{1} << 16 : Shard::kMaxVocab;
  if (header.vocab_size < 1 || header.vocab_size > most) {
    return BadInput(source, "vocab_size", fmt::to_string(header.vocab_size),
                    fmt::format("1 to {}", most));
  }
  if (header.documents < 1 || header.tokens < header.documents) {
    return BadInput(source, "documents",
                    fmt::format("{} with {} tokens", header.documents, header.tokens),
                    "at least one, each of at least one token");
  }
  const auto expected = FileBytes(header);
  if (!expected || *expected != file_bytes) {
    return BadInput(source, "size", fmt::format("{} bytes", file_bytes),
                    expected ? fmt::format("{} as the header says", *expected)
                             : std::string("a header that fits in 2^64 bytes"));
  }
  return Status::Ok();
}

}  // namespace

Result<std::shared_ptr<const Shard>> Shard::Open(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return Parse(file->bytes(), path, file);
}

Result<std::shared_ptr<const Shard>> Shard::Parse(std::span<const std::byte> bytes,
                                                  std::string source,
                                                  std::shared_ptr<const void> owner) {
  RINGLET_ASSIGN_OR_RETURN(const ShardHeader header, ReadHeader(bytes, source));
  RINGLET_RETURN_IF_ERROR(CheckHeader(header, bytes.size(), source));
  std::shared_ptr<const Shard> shard(new Shard(header, bytes, std::move(source), std::move(owner)));
  RINGLET_RETURN_IF_ERROR(shard->CheckOffsets());
  return shard;
}

std::span<const std::byte> Shard::TokenBytes() const {
  return bytes_.subspan(kHeaderBytes, Padded(header_.tokens * header_.token_bytes));
}

std::span<const std::byte> Shard::OffsetBytes() const {
  return bytes_.subspan(kHeaderBytes + TokenBytes().size());
}

Status Shard::CheckOffsets() const {
  const uint64_t hash = HashBytes(OffsetBytes());
  if (hash != header_.offsets_hash) {
    return BadHash(source_, "offsets", hash, header_.offsets_hash);
  }
  if (DocumentStart(0) != 0) {
    return BadInput(source_, "offsets[0]", fmt::to_string(DocumentStart(0)), "0");
  }
  for (uint64_t d = 0; d < header_.documents; ++d) {
    if (DocumentStart(d + 1) <= DocumentStart(d)) {
      return BadInput(source_, fmt::format("offsets[{}]", d + 1),
                      fmt::to_string(DocumentStart(d + 1)),
                      fmt::format("more than {}", DocumentStart(d)));
    }
  }
  if (const uint64_t end = DocumentStart(header_.documents); end != header_.tokens) {
    return BadInput(source_, fmt::format("offsets[{}]", header_.documents), fmt::to_string(end),
                    fmt::format("{}, the number of tokens", header_.tokens));
  }
  return Status::Ok();
}

uint64_t Shard::DocumentStart(uint64_t d) const {
  RINGLET_CHECK(d <= header_.documents, "no such document");
  uint64_t start = 0;
  std::memcpy(&start, OffsetBytes().data() + d * sizeof(start), sizeof(start));
  return start;
}

uint64_t Shard::FirstDocumentFrom(uint64_t token) const {
  uint64_t low = 0;
  uint64_t high = header_.documents;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (DocumentStart(middle) < token) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Status Shard::Read(uint64_t begin, std::span<int32_t> out) const {
  RINGLET_CHECK(begin <= header_.tokens && out.size() <= header_.tokens - begin,
                "tokens outside the shard");
  const std::span<const std::byte> bytes =
      TokenBytes().subspan(begin * header_.token_bytes, out.size() * header_.token_bytes);
  uint32_t highest = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    uint32_t id = 0;
    std::memcpy(&id, bytes.data() + i * header_.token_bytes, header_.token_bytes);
    highest = std::max(highest, id);
    out[i] = static_cast<int32_t>(id);
  }
  if (highest >= header_.vocab_size) {
    return BadInput(source_, fmt::format("tokens from {}", begin), fmt::format("id {}", highest),
                    fmt::format("ids below {}: the file is damaged", header_.vocab_size));
  }
  return Status::Ok();
}

Status Shard::Verify() const {
  const uint64_t hash = HashBytes(TokenBytes());
  if (hash != header_.tokens_hash) return BadHash(source_, "tokens", hash, header_.tokens_hash);
  std::array<int32_t, kPiece> ids;
  for (uint64_t begin = 0; begin < header_.tokens; begin += kPiece) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(kPiece, header_.tokens - begin));
    RINGLET_RETURN_IF_ERROR(Read(begin, std::span(ids).first(count)));
  }
  return Status::Ok();
}

ShardBuffer::ShardBuffer(uint64_t vocab_size, uint64_t vocabulary) {
  RINGLET_CHECK(vocab_size >= 1 && vocab_size <= Shard::kMaxVocab, "a vocabulary that fits");
  header_.vocab_size = vocab_size;
  header_.vocabulary = vocabulary;
  header_.token_bytes = vocab_size <= uint64_t{1} << 16 ? 2 : 4;
  Clear();
}

void ShardBuffer::Append(std::span<const int32_t> ids, uint64_t text_bytes) {
  if (ids.empty()) return;
  const size_t old = tokens_.size();
  tokens_.resize(old + ids.size() * header_.token_bytes);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<uint32_t>(ids[i]);
    RINGLET_CHECK(id < header_.vocab_size, "an id of the vocabulary");
    std::memcpy(tokens_.data() + old + i * header_.token_bytes, &id, header_.token_bytes);
  }
  header_.tokens += ids.size();
  header_.text_bytes += text_bytes;
  ++header_.documents;
  offsets_.push_back(header_.tokens);
}

Result<ShardHeader> ShardBuffer::Write(const std::string& path) {
  RINGLET_CHECK(header_.documents > 0, "a shard holds a document");
  tokens_.resize(Padded(tokens_.size()));
  header_.tokens_hash = HashBytes(std::as_bytes(std::span(tokens_)));
  header_.offsets_hash = HashBytes(std::as_bytes(std::span(offsets_)));
  RINGLET_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  RINGLET_RETURN_IF_ERROR(file.Append(HeaderText(header_)));
  RINGLET_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(tokens_))));
  RINGLET_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(offsets_))));
  RINGLET_RETURN_IF_ERROR(file.Commit());
  const ShardHeader written = header_;
  Clear();
  return written;
}

void ShardBuffer::Clear() {
  header_.tokens = 0;
  header_.documents = 0;
  header_.text_bytes = 0;
  tokens_.clear();
  offsets_.assign(1, 0);
}

}  // namespace ringlet
