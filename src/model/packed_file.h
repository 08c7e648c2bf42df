// Packed files: a model's weights in the layouts of the kernels, mapped and used in place. Loading
// one costs what reading its header costs, and processes share its memory.
//
// A packed file is a safetensors file with the names of model/weight_source.h and, after a colon,
// how the bytes are laid out: matrices and the row table are U8, [panels, bytes of a panel] or
// [rows, bytes of a row]; vectors are F32 [n] and have no colon. Metadata: "format":
// "ringlet-packed" and "version". Matrices come first, each a multiple of 64 bytes, so that all of
// them are aligned. The layouts are the same for every processor (docs/formats.md).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "base/memory.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "model/config.h"
#include "model/weight_source.h"

namespace ringlet {

class PackedFile : public WeightSource {
 public:
  // `memory`: bytes that the weights may take. Errors: not a packed file, another version.
  static Result<std::shared_ptr<PackedFile>> Open(std::shared_ptr<const Safetensors> file,
                                                  uint64_t memory = UsableMemory());

  // Views into the mapping. A weight that is missing or has another size or an unknown layout is an
  // error of status().
  PackedMatrix Layout(const MatrixRequest& request) override { return Matrix(request); }
  PackedMatrix Matrix(const MatrixRequest& request) override;
  std::vector<float> Vector(const std::string& name, int64_t n) override;
  RowTable Rows(const std::string& name, int64_t rows, int64_t cols) override;
  // Files that do not fit memory: experts stay mapped, and what every token reads is copied to
  // memory that reading experts cannot push out.
  bool StreamsExperts() const override { return streams_; }

 private:
  struct Entry {
    const StoredTensor* tensor = nullptr;
    std::string layout;  // after the colon
  };

  PackedFile(std::shared_ptr<const Safetensors> file, uint64_t memory);
  // Null, and an error of status(), when there is none.
  const Entry* Find(const std::string& name);

  std::shared_ptr<const Safetensors> file_;
  bool streams_ = false;
  std::unordered_map<std::string, Entry> entries_;
};

// Whether an opened safetensors file says that it is a packed file.
bool IsPackedFile(const Safetensors& file);

// Writes the weights of `config` that `source` gives to `path`, one at a time; the file appears
// under its name when it is whole.
Status WritePackedFile(const std::string& path, const ModelConfig& config, WeightSource& source);

}  // namespace ringlet
