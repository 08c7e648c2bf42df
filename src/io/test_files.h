// Small model files for tests, well formed or broken on purpose.
#pragma once

#include <cstdint>
#include <cstring>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "base/temp_dir.h"

namespace ringlet {

// A broken file with the error that reading it must give: the whole message after "path: ".
struct MalformedFile {
  std::string name;
  std::string bytes;
  std::string message;
  StatusCode code = StatusCode::kInvalidInput;
};

inline std::ostream& operator<<(std::ostream& out, const MalformedFile& file) {
  return out << file.name;
}

struct MalformedName {
  template <typename Info>
  std::string operator()(const Info& info) const {
    return info.param.name;
  }
};

// Opens the broken file as a Reader (Safetensors, GgufFile) and compares the whole error.
template <typename Reader>
void ExpectItsError(const MalformedFile& file, std::string_view extension) {
  const TempDir dir;
  const std::string path = dir.Write(file.name + std::string(extension), file.bytes);
  const auto opened = Reader::Open(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().message(), path + ": " + file.message);
  EXPECT_EQ(StatusCodeName(opened.status().code()), StatusCodeName(file.code));
}

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The bytes of a number as files store it.
template <typename T>
std::string Stored(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string Zeros(size_t count) { return std::string(count, '\0'); }

// --- safetensors

inline std::string SafetensorsFile(std::string_view header, std::string_view data) {
  return Stored<uint64_t>(header.size()) + std::string(header) + std::string(data);
}

// One entry of a header: Entry("w", "F32", "2,3", 0, 24).
inline std::string Entry(std::string_view name, std::string_view dtype, std::string_view shape,
                         uint64_t begin, uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", name, dtype,
                     shape, begin, end);
}

// A file of the given entries and data.
inline std::string SafetensorsOf(const std::vector<std::string>& entries, std::string_view data) {
  return SafetensorsFile(fmt::format("{{{}}}", fmt::join(entries, ",")), data);
}

// --- GGUF

enum : uint32_t {
  kTypeU8,
  kTypeI8,
  kTypeU16,
  kTypeI16,
  kTypeU32,
  kTypeI32,
  kTypeF32,
  kTypeBool,
  kTypeString,
  kTypeArray,
  kTypeU64,
  kTypeI64,
  kTypeF64
};

inline std::string GgufString(std::string_view text) {
  return Stored<uint64_t>(text.size()) + std::string(text);
}

inline std::string GgufEntry(std::string_view key, uint32_t type, std::string_view value) {
  return GgufString(key) + Stored(type) + std::string(value);
}

inline std::string GgufArray(std::string_view key, uint32_t type, uint64_t count,
                             std::string_view values) {
  return GgufEntry(key, kTypeArray, Stored(type) + Stored(count) + std::string(values));
}

// One row of the tensor table; dimensions innermost first, as stored.
inline std::string GgufTensor(std::string_view name, const std::vector<uint64_t>& dimensions,
                              uint32_t type, uint64_t offset) {
  std::string bytes = GgufString(name) + Stored(static_cast<uint32_t>(dimensions.size()));
  for (const uint64_t size : dimensions) bytes += Stored(size);
  return bytes + Stored(type) + Stored(offset);
}

inline std::string GgufCounts(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  return "GGUF" + Stored(version) + Stored(tensors) + Stored(keys);
}

// A whole file: the data section starts at a multiple of `alignment`.
inline std::string GgufBytes(const std::vector<std::string>& entries,
                             const std::vector<std::string>& tensors, std::string_view data,
                             size_t alignment = 32) {
  std::string bytes = GgufCounts(tensors.size(), entries.size());
  for (const std::string& entry : entries) bytes += entry;
  for (const std::string& tensor : tensors) bytes += tensor;
  if (!tensors.empty()) bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  return bytes + std::string(data);
}

}  // namespace ringlet
