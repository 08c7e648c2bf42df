// In-memory checkpoints for tests: tensors by name, and GGUF files as bytes.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "io/gguf.h"
#include "model/arch.h"
#include "model/presets.h"
#include "tensor/tensor_source.h"

namespace ringlet {

// Tensors that own their bytes.
class MemoryTensors : public TensorSource {
 public:
  const std::string& path() const override { return path_; }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }
  const StoredTensor* Find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }

  // Adds or replaces a tensor of these bytes.
  const StoredTensor& AddBytes(const std::string& name, DType dtype, std::vector<int64_t> shape,
                               std::vector<std::byte> bytes) {
    auto owned = std::make_shared<std::vector<std::byte>>(std::move(bytes));
    tensors_[name] = {.name = name,
                      .dtype = dtype,
                      .shape = std::move(shape),
                      .data = std::span(*owned),
                      .keep_alive = owned};
    return tensors_[name];
  }
  const StoredTensor& AddZeros(const std::string& name, DType dtype, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    const DTypeTraits& traits = Traits(dtype);
    const int64_t bytes = count / traits.block_elements * traits.block_bytes;
    return AddBytes(name, dtype, std::move(shape),
                    std::vector<std::byte>(static_cast<size_t>(bytes)));
  }
  const StoredTensor& AddFloats(const std::string& name, std::vector<int64_t> shape,
                                const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return AddBytes(name, DType::kF32, std::move(shape), std::move(bytes));
  }
  void Remove(const std::string& name) { tensors_.erase(name); }
  void Rename(const std::string& from, const std::string& to) {
    StoredTensor tensor = tensors_.at(from);
    tensor.name = to;
    tensors_.erase(from);
    tensors_[to] = std::move(tensor);
  }

 private:
  std::string path_ = "memory";
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

// All tensors that a configuration calls for, zero.
inline MemoryTensors PlannedTensors(BindFunction bind, ModelConfig config) {
  TensorBinder binder;
  ModelWeights weights;
  bind(binder, config, weights);
  MemoryTensors out;
  for (const StoredTensor& tensor : binder.plan()) {
    out.AddZeros(tensor.name, DType::kF32, tensor.shape);
  }
  return out;
}

// A preset's config.json, changed by a JSON merge patch (null removes a key).
inline Json PatchedPreset(std::string_view preset, std::string_view patch) {
  Json json(PresetJson(*FindPreset(preset).value()).value());
  json.merge_patch(ParseJson(patch, "patch").value());
  return json;
}

// Builds the bytes of a GGUF file. Arrays and counts are as the format says: docs/formats.md.
class GgufBuilder {
 public:
  GgufBuilder& Add(const std::string& key, const Json& value) {
    metadata_[key] = value;
    return *this;
  }
  GgufBuilder& Remove(const std::string& key) {
    metadata_.erase(key);
    return *this;
  }
  // Shape outermost first; F32.
  GgufBuilder& AddTensor(const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    return AddTensor(name, std::move(shape), std::vector<float>(static_cast<size_t>(count)));
  }
  GgufBuilder& AddTensor(const std::string& name, std::vector<int64_t> shape,
                         std::vector<float> values) {
    tensors_[name] = {std::move(shape), std::move(values)};
    return *this;
  }
  GgufBuilder& RemoveTensor(const std::string& name) {
    tensors_.erase(name);
    return *this;
  }

  std::shared_ptr<const GgufFile> Build() const {
    auto bytes = std::make_shared<std::string>(Bytes());
    return GgufFile::Parse(std::as_bytes(std::span(*bytes)), "memory.gguf", bytes).value();
  }

 private:
  struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  enum Type : uint32_t {
    kFloat32 = 6,
    kBool = 7,
    kString = 8,
    kArray = 9,
    kUint32 = 4,
    kInt32 = 5
  };

  template <typename T>
  static void Put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  static void PutString(std::string& out, const std::string& text) {
    Put<uint64_t>(out, text.size());
    out += text;
  }
  static Type TypeOf(const Json& value) {
    if (value.is_string()) return kString;
    if (value.is_boolean()) return kBool;
    if (value.is_array()) return kArray;
    if (value.is_number_float()) return kFloat32;
    return value.is_number_unsigned() ? kUint32 : kInt32;
  }
  static void PutValue(std::string& out, const Json& value) {
    switch (TypeOf(value)) {
      case kString:
        return PutString(out, value.get<std::string>());
      case kBool:
        return Put<uint8_t>(out, value.get<bool>() ? 1 : 0);
      case kFloat32:
        return Put(out, value.get<float>());
      case kUint32:
        return Put(out, value.get<uint32_t>());
      case kInt32:
        return Put(out, value.get<int32_t>());
      case kArray:
        Put<uint32_t>(out, value.empty() ? kUint32 : TypeOf(value[0]));
        Put<uint64_t>(out, value.size());
        for (const Json& item : value) PutValue(out, item);
    }
  }

  std::string Bytes() const {
    std::string out = "GGUF";
    Put<uint32_t>(out, 3);
    Put<uint64_t>(out, tensors_.size());
    Put<uint64_t>(out, metadata_.size());
    for (const auto& [key, value] : metadata_) {
      PutString(out, key);
      Put<uint32_t>(out, TypeOf(value));
      PutValue(out, value);
    }
    std::string data;
    for (const auto& [name, tensor] : tensors_) {
      PutString(out, name);
      Put<uint32_t>(out, static_cast<uint32_t>(tensor.shape.size()));
      for (size_t i = tensor.shape.size(); i-- > 0;) {
        Put<uint64_t>(out, static_cast<uint64_t>(tensor.shape[i]));
      }
      Put<uint32_t>(out, 0);  // F32
      Put<uint64_t>(out, data.size());
      data.append(reinterpret_cast<const char*>(tensor.values.data()),
                  tensor.values.size() * sizeof(float));
      data.resize((data.size() + 31) / 32 * 32);
    }
    out.resize((out.size() + 31) / 32 * 32);
    return out + data;
  }

  std::map<std::string, Json> metadata_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace ringlet
