// MergePacked: three or four stored tensors as one matrix.
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/quantization.h"

namespace ringlet {
namespace {

constexpr std::string_view kPackedSuffix = ".weight_packed";

std::string Describe(const StoredTensor& tensor) {
  return fmt::format("{} [{}]", Name(tensor.dtype), fmt::join(tensor.shape, ", "));
}

class MergedTensors : public TensorSource {
 public:
  explicit MergedTensors(std::shared_ptr<const TensorSource> tensors)
      : tensors_(std::move(tensors)) {}

  const std::string& path() const override { return tensors_->path(); }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (std::string& name : tensors_->Names()) {
      if (!hidden_.contains(name)) names.push_back(std::move(name));
    }
    for (const auto& [name, tensor] : merged_) names.push_back(name);
    return names;
  }
  const StoredTensor* Find(std::string_view name) const override {
    if (const auto found = merged_.find(name); found != merged_.end()) return &found->second;
    return hidden_.contains(name) ? nullptr : tensors_->Find(name);
  }

  Status Merge(const PackQuantized& config) {
    for (const std::string& name : tensors_->Names()) {
      if (name.ends_with(kPackedSuffix)) {
        const std::string module = name.substr(0, name.size() - kPackedSuffix.size());
        RINGLET_ASSIGN_OR_RETURN(const PackedScheme* scheme, config.SchemeOf(module));
        if (scheme == nullptr) {
          return BadInput(path(), name, "packed weights",
                          "plain weights: quantization_config ignores or omits this module");
        }
        RINGLET_RETURN_IF_ERROR(Add(module, *scheme));
      }
    }
    return Status::Ok();
  }

 private:
  Status Expect(const std::string& name, const StoredTensor& tensor, DType dtype,
                const std::vector<int64_t>& shape) const {
    if (tensor.dtype == dtype && tensor.shape == shape) return Status::Ok();
    return BadInput(path(), name, Describe(tensor),
                    fmt::format("{} [{}]", Name(dtype), fmt::join(shape, ", ")));
  }

  Result<const StoredTensor*> Require(const std::string& name) const {
    const StoredTensor* tensor = tensors_->Find(name);
    if (tensor != nullptr) return tensor;
    return BadInput(path(), name, "no such tensor", "a companion of packed weights");
  }

  // The two numbers of weight_shape.
  Result<std::vector<int64_t>> ReadShape(const std::string& name) const {
    RINGLET_ASSIGN_OR_RETURN(const StoredTensor* tensor, Require(name));
    const bool wide = tensor->dtype == DType::kI64;
    if ((!wide && tensor->dtype != DType::kI32) || tensor->shape != std::vector<int64_t>{2}) {
      return BadInput(path(), name, Describe(*tensor), "I64 [2]");
    }
    std::vector<int64_t> shape;
    for (size_t i = 0; i < 2; ++i) {
      int64_t value = 0;
      if (wide) {
        std::memcpy(&value, tensor->data.data() + i * 8, 8);
      } else {
        int32_t narrow = 0;
        std::memcpy(&narrow, tensor->data.data() + i * 4, 4);
        value = narrow;
      }
      if (value < 1 || value > int64_t{1} << 40) {
        return BadInput(path(), name, fmt::to_string(value), "a size from 1 to 2^40");
      }
      shape.push_back(value);
    }
    return shape;
  }

  Status CheckCompanions(const std::string& weight, const PackedScheme& scheme, int64_t rows,
                         int64_t cols) const {
    const int64_t groups = scheme.group == 0 ? 1 : cols / scheme.group;
    if (scheme.group != 0 && cols % scheme.group != 0) {
      return BadInput(path(), weight + "_shape", fmt::format("{} columns", cols),
                      fmt::format("a multiple of the group size {}", scheme.group));
    }
    RINGLET_ASSIGN_OR_RETURN(const StoredTensor* scale, Require(weight + "_scale"));
    const std::vector<int64_t> expected = {rows, groups};
    if (scale->shape != expected) {
      return BadInput(path(), scale->name, Describe(*scale),
                      fmt::format("shape [{}]", fmt::join(expected, ", ")));
    }
    if (tensors_->Find(weight + "_g_idx") != nullptr) {
      return Status(StatusCode::kUnsupported,
                    fmt::format("{}: {}_g_idx: found an order of columns, expected groups of "
                                "consecutive columns",
                                path(), weight));
    }
    const StoredTensor* zero_point = tensors_->Find(weight + "_zero_point");
    if (scheme.symmetric) {
      if (zero_point == nullptr) return Status::Ok();
      return BadInput(path(), zero_point->name, "zero points", "none for symmetric weights");
    }
    RINGLET_ASSIGN_OR_RETURN(zero_point, Require(weight + "_zero_point"));
    return Expect(zero_point->name, *zero_point, DType::kI32,
                  {(rows * scheme.bits + 31) / 32, groups});
  }

  Status Add(const std::string& module, const PackedScheme& scheme) {
    const std::string weight = module + ".weight";
    const StoredTensor& packed = *tensors_->Find(weight + "_packed");
    if (tensors_->Find(weight) != nullptr) {
      return BadInput(path(), weight, "plain weights", "none beside " + packed.name);
    }
    RINGLET_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, ReadShape(weight + "_shape"));
    const int64_t per_word = 32 / scheme.bits;
    if (shape[1] % per_word != 0) {
      return Status(StatusCode::kUnsupported,
                    fmt::format("{}: {}_shape: found {} columns, expected a multiple of {}", path(),
                                weight, shape[1], per_word));
    }
    RINGLET_RETURN_IF_ERROR(
        Expect(packed.name, packed, DType::kI32, {shape[0], shape[1] / per_word}));
    RINGLET_RETURN_IF_ERROR(CheckCompanions(weight, scheme, shape[0], shape[1]));
    StoredTensor merged = packed;
    merged.name = weight;
    merged.dtype = scheme.bits == 4 ? DType::kPackedI4 : DType::kPackedI8;
    merged.shape = shape;
    merged_.emplace(weight, std::move(merged));
    hidden_.insert({packed.name, weight + "_shape"});
    return Status::Ok();
  }

  std::shared_ptr<const TensorSource> tensors_;
  std::map<std::string, StoredTensor, std::less<>> merged_;
  std::set<std::string, std::less<>> hidden_;
};

}  // namespace

Result<std::shared_ptr<const TensorSource>> MergePacked(
    const PackQuantized& config, std::shared_ptr<const TensorSource> tensors) {
  auto merged = std::make_shared<MergedTensors>(std::move(tensors));
  RINGLET_RETURN_IF_ERROR(merged->Merge(config));
  return std::shared_ptr<const TensorSource>(std::move(merged));
}

}  // namespace ringlet
