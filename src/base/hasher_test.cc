#include "base/hasher.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ringlet {
namespace {

std::vector<std::byte> SomeBytes(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 256);
  return bytes;
}

uint64_t InPieces(std::span<const std::byte> bytes, size_t piece) {
  Hasher hash;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    hash.Add(bytes.subspan(at, std::min(piece, bytes.size() - at)));
  }
  return hash.Digest();
}

TEST(HasherTest, PiecesMakeTheHashOfTheWhole) {
  for (const size_t size : {0, 1, 7, 63, 64, 65, 240, 241, 1000, 5000}) {
    const std::vector<std::byte> bytes = SomeBytes(size);
    const uint64_t whole = XXH3_64bits(bytes.data(), bytes.size());
    for (const size_t piece : {1, 3, 64, 256, 4999, 5000}) {
      EXPECT_EQ(InPieces(bytes, piece), whole) << size << " bytes, " << piece << " at a time";
    }
  }
}

// Files hold such numbers.
TEST(HasherTest, KnownHashes) {
  EXPECT_EQ(Hasher().Digest(), 0x2d06800538d394c2u);
  EXPECT_EQ(InPieces(std::as_bytes(std::span("ringlet", 7)), 2), 0xb46c541b80e42d89u);
}

TEST(HasherTest, GoesOnAfterADigestAndAMove) {
  const std::vector<std::byte> bytes = SomeBytes(700);
  Hasher first;
  first.Add(std::span(bytes).first(300));
  EXPECT_EQ(first.Digest(), InPieces(std::span(bytes).first(300), 300));
  Hasher second = std::move(first);
  second.Add({});
  second.Add(std::span(bytes).subspan(300));
  EXPECT_EQ(second.Digest(), InPieces(bytes, 700));
}

}  // namespace
}  // namespace ringlet
