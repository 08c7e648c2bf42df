#include "engine/repetition.h"

#include <algorithm>

namespace ringlet {

// The Z function of the tokens read backwards, each entry stored where its run ends: at(k) is the
// k-th token from the end, and z(k) the length of the longest common beginning of at(0).. and
// at(k).., which belongs to the token after at(k).
std::span<const int32_t> RepetitionFinder::Find(std::span<const int32_t> tokens,
                                                const TokenSet* breakers) {
  const int64_t count = std::ssize(tokens);
  lengths_.assign(static_cast<size_t>(count), 0);
  const auto at = [&](int64_t k) { return tokens[count - 1 - k]; };
  const auto z = [&](int64_t k) -> int32_t& { return lengths_[count - k]; };
  int64_t limit = 0;  // tokens after the last breaker
  while (limit < count && (breakers == nullptr || !breakers->Contains(at(limit)))) ++limit;
  int64_t begin = 0;  // at(begin..end) equals at(0..end - begin), of all such the largest end
  int64_t end = 0;
  for (int64_t k = 1; k < count && limit > 0; ++k) {
    int64_t same = k < end ? std::min<int64_t>(end - k, z(k - begin)) : 0;
    while (same < limit && k + same < count && at(same) == at(k + same)) ++same;
    z(k) = static_cast<int32_t>(same);
    if (k + same > end) {
      begin = k;
      end = k + same;
    }
  }
  return lengths_;
}

}  // namespace ringlet
