// safetensors: single files and sharded directories, memory-mapped and strictly checked, and a
// streaming writer. Layout and the rules we add to the published ones: docs/formats.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/hasher.h"
#include "base/status.h"
#include "tensor/tensor_source.h"

namespace ringlet {

class Safetensors : public TensorSource {
 public:
  // A *.safetensors file, or a directory that holds model.safetensors or
  // model.safetensors.index.json with its shards.
  static Result<std::shared_ptr<const Safetensors>> Open(const std::string& path);
  // One file's bytes (tests, fuzzing); `source` names them in errors.
  static Result<std::shared_ptr<const Safetensors>> Parse(std::span<const std::byte> bytes,
                                                          const std::string& source,
                                                          std::shared_ptr<const void> keep_alive);

  const std::string& path() const override { return path_; }
  std::vector<std::string> Names() const override;
  const StoredTensor* Find(std::string_view name) const override;
  void Advise(std::span<const std::byte> part, Access access) const override;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  friend class SafetensorsParser;
  std::string path_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::vector<std::shared_ptr<const MappedFile>> files_;  // none for bytes in memory
};

// Writes one file: declare every tensor in order, then supply the bytes in the same order in pieces
// of any size. The file appears under its name only at Finish.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

// What stands before the data section of a file with these tensors, for writers of their own: the
// length of the header and the header. Errors name `path`.
Result<std::string> SafetensorsPreamble(const std::string& path,
                                        const std::vector<SafetensorsEntry>& entries,
                                        const std::map<std::string, std::string>& metadata);

class SafetensorsWriter {
 public:
  static Result<SafetensorsWriter> Create(const std::string& path,
                                          const std::vector<SafetensorsEntry>& entries,
                                          const std::map<std::string, std::string>& metadata);
  Status Append(std::span<const std::byte> bytes);
  // Errors when fewer or more bytes than declared were appended.
  Status Finish();
  // XXH3 of every byte of the file so far, header included.
  uint64_t Hash() const;

 private:
  SafetensorsWriter(std::string path, AtomicFile file, uint64_t remaining);
  // To the file and the hash.
  Status Write(std::span<const std::byte> bytes);

  std::string path_;
  AtomicFile file_;
  Hasher hash_;
  uint64_t remaining_;
  Status status_;  // the first error; Append and Finish repeat it
};

}  // namespace ringlet
