#include <fmt/format.h>

#include <utility>

#include "base/checked.h"
#include "base/json.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

// Of the data section: readers may map tensors and use wide loads.
constexpr size_t kDataAlignment = 64;

bool IsUtf8(std::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

// A JSON string literal of `text`, which must be UTF-8.
std::string JsonString(const std::string& text) { return Json(text).dump(); }

Result<std::string> MetadataJson(const std::string& path,
                                 const std::map<std::string, std::string>& metadata) {
  std::string out = "\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (!IsUtf8(key) || !IsUtf8(value)) {
      return BadInput(path, "__metadata__: " + Quote(key), "bytes that are not UTF-8", "UTF-8");
    }
    if (out.back() != '{') out += ',';
    out += JsonString(key) + ':' + JsonString(value);
  }
  return out + '}';
}

struct Header {
  std::string text;
  uint64_t data_bytes = 0;
};

Result<Header> MakeHeader(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                          const std::map<std::string, std::string>& metadata) {
  Header header{"{", 0};
  if (!metadata.empty()) {
    RINGLET_ASSIGN_OR_RETURN(const std::string json, MetadataJson(path, metadata));
    header.text += json;
  }
  for (const SafetensorsEntry& entry : entries) {
    const std::string field = "tensor " + Quote(entry.name);
    if (!IsUtf8(entry.name)) return BadInput(path, field, "a name that is not UTF-8", "UTF-8");
    if (Traits(entry.dtype).block_elements != 1) {
      return BadInput(path, field + ": dtype", Name(entry.dtype), "a plain type");
    }
    const std::optional<uint64_t> bytes = PlainTensorBytes(entry.dtype, entry.shape);
    const std::optional<uint64_t> end = CheckedAdd(header.data_bytes, bytes.value_or(0));
    if (!bytes || !end) {
      return BadInput(path, field + ": shape", fmt::format("[{}]", fmt::join(entry.shape, ", ")),
                      "a size that fits 63 bits");
    }
    if (header.text.size() > 1) header.text += ',';
    header.text += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                               JsonString(entry.name), Name(entry.dtype),
                               fmt::join(entry.shape, ","), header.data_bytes, *end);
    header.data_bytes = *end;
  }
  header.text += '}';
  while ((sizeof(uint64_t) + header.text.size()) % kDataAlignment != 0) header.text += ' ';
  if (header.text.size() > kMaxSafetensorsHeaderBytes) {
    return BadInput(path, "header length", fmt::to_string(header.text.size()),
                    fmt::format("at most {}", kMaxSafetensorsHeaderBytes));
  }
  // What the reader would refuse is never written: repeated, empty or overlong names, high ranks.
  RINGLET_RETURN_IF_ERROR(ParseSafetensorsHeader(header.text, header.data_bytes, path).status());
  return header;
}

}  // namespace

Result<std::string> SafetensorsPreamble(const std::string& path,
                                        const std::vector<SafetensorsEntry>& entries,
                                        const std::map<std::string, std::string>& metadata) {
  RINGLET_ASSIGN_OR_RETURN(const Header header, MakeHeader(path, entries, metadata));
  const uint64_t length = header.text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + header.text;
}

SafetensorsWriter::SafetensorsWriter(std::string path, AtomicFile file, uint64_t remaining)
    : path_(std::move(path)), file_(std::move(file)), remaining_(remaining) {}

Status SafetensorsWriter::Write(std::span<const std::byte> bytes) {
  hash_.Add(bytes);
  return file_.Append(bytes);
}

uint64_t SafetensorsWriter::Hash() const { return hash_.Digest(); }

Result<SafetensorsWriter> SafetensorsWriter::Create(
    const std::string& path, const std::vector<SafetensorsEntry>& entries,
    const std::map<std::string, std::string>& metadata) {
  RINGLET_ASSIGN_OR_RETURN(const Header header, MakeHeader(path, entries, metadata));
  const uint64_t length = header.text.size();
  RINGLET_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  SafetensorsWriter writer(path, std::move(file), header.data_bytes);
  RINGLET_RETURN_IF_ERROR(writer.Write(std::as_bytes(std::span(&length, 1))));
  RINGLET_RETURN_IF_ERROR(writer.Write(std::as_bytes(std::span(header.text))));
  return writer;
}

Status SafetensorsWriter::Append(std::span<const std::byte> bytes) {
  RINGLET_RETURN_IF_ERROR(status_);
  if (bytes.size() > remaining_) {
    status_ = BadInput(path_, "data", fmt::format("{} more bytes", bytes.size()),
                       fmt::format("at most {}, the rest of what was declared", remaining_));
    return status_;
  }
  status_ = Write(bytes);
  remaining_ -= bytes.size();
  return status_;
}

Status SafetensorsWriter::Finish() {
  RINGLET_RETURN_IF_ERROR(status_);
  if (remaining_ != 0) {
    status_ = BadInput(path_, "data", fmt::format("an end {} bytes early", remaining_),
                       "every declared tensor");
    return status_;
  }
  return file_.Commit();
}

}  // namespace ringlet
