// GGUF v2 and v3 files: metadata and tensors, memory-mapped, every count and offset checked before
// use. Layout: docs/formats.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor_source.h"

namespace ringlet {

// One metadata value. Integers of every stored width arrive as int64 (uint64 above 2^63-1 is
// refused), floats as double; arrays hold one kind of element and do not nest.
struct GgufValue {
  using Strings = std::vector<std::string>;
  using Integers = std::vector<int64_t>;
  using Doubles = std::vector<double>;
  using Bools = std::vector<bool>;
  std::variant<int64_t, double, bool, std::string, Integers, Doubles, Bools, Strings> value;
};

class GgufFile : public TensorSource {
 public:
  static Result<std::shared_ptr<const GgufFile>> Open(const std::string& path);
  // Parses a mapping or a buffer (tests, fuzzing); `source` names it in errors.
  static Result<std::shared_ptr<const GgufFile>> Parse(std::span<const std::byte> bytes,
                                                       const std::string& source,
                                                       std::shared_ptr<const void> keep_alive);

  const std::string& path() const override { return path_; }
  std::vector<std::string> Names() const override;
  const StoredTensor* Find(std::string_view name) const override;

  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }
  // nullptr when absent.
  const GgufValue* FindValue(std::string_view key) const;

  // Typed access; errors name the file and the key: absent, or of another type. Integer accepts
  // only integers, Double also integers.
  Result<int64_t> Integer(std::string_view key) const;
  Result<double> Double(std::string_view key) const;
  Result<bool> Bool(std::string_view key) const;
  Result<std::string> String(std::string_view key) const;
  Result<GgufValue::Strings> StringArray(std::string_view key) const;
  Result<GgufValue::Integers> IntegerArray(std::string_view key) const;
  Result<GgufValue::Doubles> DoubleArray(std::string_view key) const;

 private:
  friend class GgufParser;
  std::string path_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace ringlet
