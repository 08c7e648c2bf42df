// WeightSource: where a model's weights come from, by the names of this library and in the layouts
// of the kernels. One walk over a configuration (model/build.h) asks for every weight; what answers
// decides whether the model is packed from a checkpoint, mapped from a packed file, made of random
// numbers, or only listed.
//
// Names: embedding, head, final_norm; layers.<l>.{input_norm, post_norm},
// layers.<l>.attention.{qkv, out, gate, q_norm, k_norm, group_norm}, layers.<l>.{gate_up, down}
// (dense), layers.<l>.router, layers.<l>.expert_bias, layers.<l>.experts.<e>.{gate_up, down},
// layers.<l>.shared.{gate_up, down}; mtp.<m>.{embed_norm, hidden_norm, final_norm, projection} and
// what a layer has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/weights.h"
#include "ops/gemm/packed_matrix.h"

namespace ringlet {

enum class MatrixRole {
  kLinear,
  kExpert,  // a linear layer of one of many experts, of which a token needs few
  kRouter,  // multiplies in fp32 whatever the rest does
  kHead,
};

struct MatrixRequest {
  std::string name;
  MatrixRole role = MatrixRole::kLinear;
  int64_t n = 0;
  int64_t k = 0;
};

// A table read row by row (the embedding). `owner` keeps what `rows` points to.
struct RowTable {
  MatrixRef rows;
  std::shared_ptr<const void> owner;
};

// After the first problem every further request returns an empty result and status() says why.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // The layout of what Matrix would give, without data.
  virtual PackedMatrix Layout(const MatrixRequest& request) = 0;
  virtual PackedMatrix Matrix(const MatrixRequest& request) = 0;
  // [n] in fp32.
  virtual std::vector<float> Vector(const std::string& name, int64_t n) = 0;
  virtual RowTable Rows(const std::string& name, int64_t rows, int64_t cols) = 0;
  // Whether experts stay on disk, because all of them do not fit memory: then whoever chooses some
  // should have them read ahead.
  virtual bool StreamsExperts() const { return false; }

  const Status& status() const { return status_; }

 protected:
  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

 private:
  Status status_;
};

}  // namespace ringlet
