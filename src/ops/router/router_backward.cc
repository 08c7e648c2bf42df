#include "ops/router/router_backward.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/parallel_rows.h"

namespace ringlet {
namespace {

struct Workspace {
  std::vector<double> softmax;  // of the logits, where it is needed
  std::vector<double> dp;       // of the chosen experts
  std::vector<double> p;
};

// Fills work.softmax; returns the log-sum-exp.
double Softmax(const float* logits, int64_t experts, Workspace* work) {
  const double largest = *std::max_element(logits, logits + experts);
  double sum = 0;
  work->softmax.resize(static_cast<size_t>(experts));
  for (int64_t e = 0; e < experts; ++e) {
    sum += work->softmax[static_cast<size_t>(e)] = std::exp(logits[e] - largest);
  }
  for (double& p : work->softmax) p /= sum;
  return largest + std::log(sum);
}

void RowGradient(const RouterBackwardArgs& args, int64_t row, Workspace* work) {
  const float* logits = args.logits + row * args.experts;
  const int32_t* ids = args.ids + row * args.top_k;
  const float* dweights = args.dweights + row * args.top_k;
  float* dlogits = args.dlogits + row * args.experts;
  const auto chosen = static_cast<size_t>(args.top_k);
  double lse = 0;
  if (args.softmax || args.z_loss != 0) lse = Softmax(logits, args.experts, work);
  work->p.resize(chosen);
  work->dp.resize(chosen);
  double sum = 0;
  double inner = 0;
  for (size_t i = 0; i < chosen; ++i) {
    work->p[i] = args.softmax ? work->softmax[static_cast<size_t>(ids[i])]
                              : 1.0 / (1.0 + std::exp(-static_cast<double>(logits[ids[i]])));
    sum += work->p[i];
    inner += work->p[i] * dweights[i];
  }
  const double z = args.normalize ? sum + 1e-20 : 1.0;
  const double mean = args.normalize ? inner / z : 0.0;
  double through_softmax = 0;
  for (size_t i = 0; i < chosen; ++i) {
    work->dp[i] = args.scale / z * (dweights[i] - mean);
    through_softmax += work->dp[i] * work->p[i];
  }
  for (int64_t e = 0; e < args.experts; ++e) {
    double factor = args.softmax ? -through_softmax : 0.0;
    factor += 2.0 * args.z_loss * lse;
    const bool any = args.softmax || args.z_loss != 0;
    dlogits[e] = any ? static_cast<float>(work->softmax[static_cast<size_t>(e)] * factor) : 0.0f;
  }
  for (size_t i = 0; i < chosen; ++i) {
    const double own = args.softmax ? work->p[i] * (work->dp[i] - through_softmax)
                                    : work->dp[i] * work->p[i] /
                                          (1.0 + std::exp(static_cast<double>(logits[ids[i]])));
    const double z_part =
        args.z_loss == 0 ? 0.0
                         : 2.0 * args.z_loss * lse * work->softmax[static_cast<size_t>(ids[i])];
    dlogits[ids[i]] = static_cast<float>(own + z_part);
  }
}

}  // namespace

void RouterBackward(Context& context, const RouterBackwardArgs& args) {
  ParallelRows(context, args.rows, args.experts * 8, [&](int64_t row) {
    Workspace work;
    RowGradient(args, row, &work);
  });
}

}  // namespace ringlet
