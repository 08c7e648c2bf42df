#include "engine/page_slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "engine/sequence_state.h"

namespace ringlet {
namespace {

TEST(PageSlab, PlacesAreDisjointAndComeBack) {
  PageSlab slab(100, 3);
  std::set<std::byte*> places;
  for (int i = 0; i < 3; ++i) {
    std::byte* place = slab.Take();
    ASSERT_NE(place, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(place) % 64, 0u);
    std::memset(place, i, 100);
    for (std::byte* other : places) {
      EXPECT_GE(place < other ? other - place : place - other, 100);
    }
    places.insert(place);
  }
  EXPECT_EQ(slab.Take(), nullptr);
  slab.GiveBack(*places.begin());
  EXPECT_EQ(slab.Take(), *places.begin());
  EXPECT_EQ(slab.Take(), nullptr);
}

TEST(PageSlab, ShortSequencesHaveMemoryOfTheirOwn) {
  constexpr size_t kMiB = size_t{1} << 20;
  EXPECT_EQ(PagesToAllocate(kMiB / 2, 0), 1u);
  EXPECT_EQ(PagesToAllocate(kMiB / 2, 3), 1u);
  EXPECT_EQ(PagesToAllocate(kMiB / 2, 4), 16u);
  EXPECT_EQ(PagesToAllocate(kMiB / 2 + 64, 4), 16u);
  EXPECT_EQ(PagesToAllocate(kMiB / 2, 128), 32u);
  EXPECT_EQ(PagesToAllocate(kMiB / 2, 100000), 128u);
  EXPECT_EQ(PagesToAllocate(100 * kMiB, 100000), 1u);
  EXPECT_EQ(PagesToAllocate(0, 100), 1u);
}

// Pages of one sequence: all distinct, those that a rollback frees are used again, and pages live
// on when the sequence and its slab are gone.
TEST(PageSlab, PagesOfASequence) {
  constexpr size_t kBytes = 300000;
  std::shared_ptr<PositionBlock> survivor;
  {
    SequenceState state;
    const auto grow = [&](size_t pages) {
      while (state.pages.size() < pages) {
        state.pages.push_back(NewPage(state, kBytes));
        std::memset(state.pages.back()->data.data(), static_cast<int>(state.pages.size()), kBytes);
      }
    };
    grow(60);
    for (size_t i = 0; i < state.pages.size(); ++i) {
      ASSERT_EQ(state.pages[i]->data.size(), kBytes);
      for (const size_t at : {size_t{0}, kBytes - 1}) {
        ASSERT_EQ(state.pages[i]->data[at], static_cast<std::byte>(i + 1)) << i;
      }
    }
    const std::byte* last = state.pages.back()->data.data();
    state.pages.pop_back();
    grow(60);
    EXPECT_EQ(state.pages.back()->data.data(), last);
    survivor = state.pages[40];
  }
  EXPECT_EQ(survivor->data[kBytes - 1], std::byte{41});
}

}  // namespace
}  // namespace ringlet
