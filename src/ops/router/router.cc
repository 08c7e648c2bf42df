#include "ops/router/router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "ops/parallel_rows.h"

namespace ringlet {
namespace {

// An expert outside the best groups; a NaN counts as a little more, so that it is the last choice
// among the others but never worse than what is out.
constexpr double kOut = -std::numeric_limits<double>::infinity();
constexpr double kNanChoice = std::numeric_limits<double>::lowest();

// Indices of the `count` largest values (none is NaN), ties by lower index.
void TopIndices(std::span<const double> values, int64_t count, std::vector<int32_t>* order) {
  order->resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) (*order)[i] = static_cast<int32_t>(i);
  const auto better = [&](int32_t a, int32_t b) {
    const double x = values[static_cast<size_t>(a)];
    const double y = values[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  std::partial_sort(order->begin(), order->begin() + count, order->end(), better);
  order->resize(static_cast<size_t>(count));
}

struct Workspace {
  std::vector<double> score;
  std::vector<double> choice;
  std::vector<double> group_score;
  std::vector<int32_t> order;
};

void Scores(const RouterArgs& args, const float* logits, Workspace* work) {
  const auto experts = static_cast<size_t>(args.experts);
  work->score.resize(experts);
  work->choice.resize(experts);
  if (args.softmax) {
    const double largest = *std::max_element(logits, logits + experts);
    double sum = 0;
    for (size_t e = 0; e < experts; ++e) sum += work->score[e] = std::exp(logits[e] - largest);
    for (double& score : work->score) score /= sum;
  } else {
    for (size_t e = 0; e < experts; ++e) {
      work->score[e] = 1.0 / (1.0 + std::exp(-static_cast<double>(logits[e])));
    }
  }
  for (size_t e = 0; e < experts; ++e) {
    const double biased = work->score[e] + (args.bias != nullptr ? args.bias[e] : 0.0f);
    work->choice[e] = std::isnan(biased) ? kNanChoice : biased;
  }
}

// Sets the choice of every expert outside the best groups to -inf.
void MaskGroups(const RouterArgs& args, Workspace* work) {
  if (args.top_groups >= args.groups) return;
  const int64_t width = args.experts / args.groups;
  work->group_score.resize(static_cast<size_t>(args.groups));
  for (int64_t g = 0; g < args.groups; ++g) {
    double best = kOut;
    double second = kOut;
    for (int64_t e = g * width; e < (g + 1) * width; ++e) {
      const double value = work->choice[static_cast<size_t>(e)];
      if (value > best) {
        second = best;
        best = value;
      } else if (value > second) {
        second = value;
      }
    }
    work->group_score[static_cast<size_t>(g)] = width == 1 ? best : best + second;
  }
  TopIndices(work->group_score, args.top_groups, &work->order);
  std::vector<bool> keep(static_cast<size_t>(args.groups), false);
  for (const int32_t g : work->order) keep[static_cast<size_t>(g)] = true;
  for (int64_t e = 0; e < args.experts; ++e) {
    if (!keep[static_cast<size_t>(e / width)]) work->choice[static_cast<size_t>(e)] = kOut;
  }
}

void RouteRow(const RouterArgs& args, int64_t row, Workspace* work) {
  Scores(args, args.logits + row * args.experts, work);
  MaskGroups(args, work);
  TopIndices(work->choice, args.top_k, &work->order);
  std::sort(work->order.begin(), work->order.end());
  double sum = 0;
  for (const int32_t e : work->order) sum += work->score[static_cast<size_t>(e)];
  const double factor = (args.normalize ? 1.0 / (sum + 1e-20) : 1.0) * args.scale;
  for (int64_t i = 0; i < args.top_k; ++i) {
    const int32_t e = work->order[static_cast<size_t>(i)];
    args.ids[row * args.top_k + i] = e;
    args.weights[row * args.top_k + i] =
        static_cast<float>(work->score[static_cast<size_t>(e)] * factor);
  }
}

}  // namespace

void Router(Context& context, const RouterArgs& args) {
  RINGLET_CHECK(args.groups >= 1 && args.experts % args.groups == 0, "groups divide experts");
  RINGLET_CHECK(args.top_groups >= 1 && args.top_groups <= args.groups &&
                    args.top_k <= args.experts / args.groups * args.top_groups,
                "top_k experts must exist in the kept groups");
  ParallelRows(context, args.rows, args.experts * 32, [&](int64_t row) {
    Workspace work;
    RouteRow(args, row, &work);
  });
}

}  // namespace ringlet
