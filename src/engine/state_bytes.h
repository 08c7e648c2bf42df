// Sizes of what a sequence remembers.
#pragma once

#include <cstddef>

#include "model/model.h"

namespace ringlet {

// In bytes; 0 where the model has no layers of the kind.
struct StateBytes {
  size_t page = 0;    // 64 positions of the softmax layers
  size_t tail = 0;    // up to 64 positions of the lightning layers
  size_t anchor = 0;  // state of the lightning layers

  static StateBytes Of(const Model& model);
};

}  // namespace ringlet
