#include <cmath>

#include "ops/adamw/adamw.h"

namespace ringlet {

void AdamWRef(const AdamWArgs& args, double* weight, double* mean, double* square) {
  const auto step = static_cast<double>(args.step);
  const double c1 = 1.0 - std::pow(args.beta1, step);
  const double c2 = 1.0 - std::pow(args.beta2, step);
  for (int64_t i = 0; i < args.n; ++i) {
    const double g = args.grad_scale * args.grad[i];
    mean[i] = args.beta1 * args.mean[i] + (1.0 - args.beta1) * g;
    square[i] = args.beta2 * args.square[i] + (1.0 - args.beta2) * g * g;
    const double direction = mean[i] / c1 / (std::sqrt(square[i] / c2) + args.eps);
    weight[i] = args.weight[i] - args.lr * (direction + args.decay * args.weight[i]);
  }
}

double SumOfSquaresRef(std::span<const std::span<const float>> parts) {
  long double sum = 0;
  for (const std::span<const float> part : parts) {
    for (const float x : part) sum += static_cast<long double>(x) * x;
  }
  return static_cast<double>(sum);
}

}  // namespace ringlet
