// A cursor over a GGUF file whose failures are ready-made errors: shared by the readers of the
// metadata and of the tensor table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/byte_reader.h"

namespace ringlet {

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, const std::string& source)
      : bytes_(bytes), source_(source) {}

  uint64_t position() const { return bytes_.position(); }
  uint64_t remaining() const { return bytes_.remaining(); }
  const std::string& source() const { return source_; }

  Status Bad(std::string_view field, std::string_view found, std::string_view expected) const {
    return BadInput(source_, field, found, expected);
  }
  Status Unsupported(std::string_view field, std::string_view found,
                     std::string_view expected) const {
    return Status(StatusCode::kUnsupported, Bad(field, found, expected).message());
  }

  template <typename T>
  Status Read(std::string_view field, T* value) {
    return bytes_.Read(value) ? Status::Ok() : Short(field, sizeof(T));
  }
  Status ReadText(std::string_view field, uint64_t size, std::string_view* text) {
    return bytes_.ReadText(size, text) ? Status::Ok() : Short(field, size);
  }
  // A length and that many bytes.
  Status ReadString(std::string_view field, std::string_view* text);
  // A tensor name or metadata key: not empty, not long, UTF-8 without NUL.
  Status ReadName(std::string_view field, std::string* name);

  // An error unless `count` is at most `limit` and as many entries of min_bytes fit the rest of the
  // file: what is to be checked before memory is taken for them.
  Status CheckCount(std::string_view field, uint64_t count, uint64_t limit,
                    uint64_t min_bytes) const;
  // An error when metadata and tensor table are longer than any sensible file's.
  Status CheckHeaderSize() const;

 private:
  Status Short(std::string_view field, uint64_t needed) const;

  ByteReader bytes_;
  const std::string& source_;
};

}  // namespace ringlet
