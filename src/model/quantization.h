// The quantization_config of integer checkpoints: quant_method "compressed-tensors", format
// "pack-quantized", weights only. docs/formats.md describes the keys and the tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "io/regex.h"
#include "tensor/tensor_source.h"

namespace ringlet {

// How the weights of a module are stored.
struct PackedScheme {
  int bits = 4;       // 4 or 8
  int64_t group = 0;  // columns that share a scale; 0: a whole row
  bool symmetric = true;
};

class PackQuantized {
 public:
  // Reads the value of quantization_config. Errors name `source` and the key; everything unknown
  // is an error, as are activation quantization, activation ordering and other formats.
  static Result<PackQuantized> Parse(const Json& object, const std::string& source);

  // The scheme of the module of this name ("model.layers.0.mlp.down_proj"), nullptr when it is
  // ignored or no group targets it. Any linear layer is a target of "Linear".
  Result<const PackedScheme*> SchemeOf(const std::string& module) const;

 private:
  // A name, or a pattern that must match from the beginning of a name.
  struct Target {
    std::string name;
    std::shared_ptr<const Regex> pattern;
  };
  struct Group {
    PackedScheme scheme;
    std::vector<Target> targets;
    bool every_linear = false;
  };
  static Result<std::vector<Target>> ParseTargets(const Json& list, const std::string& source,
                                                  const std::string& field);
  static Result<Group> ParseGroup(const Json& object, const std::string& source,
                                  const std::string& prefix);
  static Result<bool> Matches(const std::vector<Target>& targets, const std::string& module);

  std::vector<Group> groups_;
  std::vector<Target> ignored_;
};

// `tensors` with each "<module>.weight_packed" as a matrix "<module>.weight" of a packed type and
// the shape that "<module>.weight_shape" states. Scales and zero points keep their names. Errors
// name the tensor that is missing, superfluous or of another shape than the scheme asks for.
Result<std::shared_ptr<const TensorSource>> MergePacked(
    const PackQuantized& config, std::shared_ptr<const TensorSource> tensors);

}  // namespace ringlet
