#include "io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "io/safetensors_header.h"
#include "io/safetensors_parser.h"

namespace ringlet {
namespace {

constexpr uint64_t kLengthBytes = 8;

}  // namespace

Result<std::shared_ptr<const Safetensors>> SafetensorsParser::ParseFile(
    std::span<const std::byte> bytes, const std::string& source,
    const std::shared_ptr<const void>& keep_alive,
    const std::shared_ptr<const MappedFile>& mapped) {
  if (bytes.size() < kLengthBytes) {
    return BadInput(source, "header length", fmt::format("a file of {} bytes", bytes.size()),
                    "at least 8 bytes");
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const uint64_t limit = std::min(bytes.size() - kLengthBytes, kMaxSafetensorsHeaderBytes);
  if (length > limit) {
    return BadInput(source, "header length", fmt::to_string(length),
                    fmt::format("at most {} ({})", limit,
                                limit == kMaxSafetensorsHeaderBytes ? "the largest header allowed"
                                                                    : "the bytes that follow"));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
  RINGLET_ASSIGN_OR_RETURN(SafetensorsHeader header,
                           ParseSafetensorsHeader(text, data.size(), source));
  auto file = std::make_shared<Safetensors>();
  file->path_ = source;
  if (mapped != nullptr) file->files_.push_back(mapped);
  file->metadata_ = std::move(header.metadata);
  for (SafetensorsRange& range : header.tensors) {
    StoredTensor tensor;
    tensor.name = range.name;
    tensor.dtype = range.dtype;
    tensor.shape = std::move(range.shape);
    tensor.data = data.subspan(range.begin, range.end - range.begin);
    tensor.keep_alive = keep_alive;
    file->tensors_.emplace(std::move(range.name), std::move(tensor));
  }
  return std::shared_ptr<const Safetensors>(std::move(file));
}

Result<std::shared_ptr<const Safetensors>> Safetensors::Parse(
    std::span<const std::byte> bytes, const std::string& source,
    std::shared_ptr<const void> keep_alive) {
  return SafetensorsParser::ParseFile(bytes, source, keep_alive, nullptr);
}

Result<std::shared_ptr<const Safetensors>> SafetensorsParser::OpenFile(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return ParseFile(file->bytes(), path, file, file);
}

Result<std::shared_ptr<const Safetensors>> Safetensors::Open(const std::string& path) {
  if (IsDirectory(path)) return SafetensorsParser::OpenDirectory(path);
  return SafetensorsParser::OpenFile(path);
}

std::vector<std::string> Safetensors::Names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

const StoredTensor* Safetensors::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void Safetensors::Advise(std::span<const std::byte> part, Access access) const {
  for (const auto& file : files_) {
    const std::span<const std::byte> bytes = file->bytes();
    if (part.data() < bytes.data() || part.data() >= bytes.data() + bytes.size()) continue;
    return file->Advise(part, access);
  }
}

}  // namespace ringlet
