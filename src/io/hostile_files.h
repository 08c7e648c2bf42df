// What a parser must survive, run over every damaged copy of a small valid file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/test_files.h"
#include "tensor/probe_tensors.h"

namespace ringlet {

// Parses a copy in a heap block of exactly its size. True when it was accepted.
template <typename Reader>
bool Accepts(const std::string& bytes) {
  const std::vector<std::byte> copy(AsBytes(bytes).begin(), AsBytes(bytes).end());
  const auto file = Reader::Parse(copy, "damaged", nullptr);
  if (!file.ok()) {
    EXPECT_EQ(file.status().message().substr(0, 9), "damaged: ");
    return false;
  }
  ProbeTensors(**file);
  return true;
}

// Every proper prefix must be refused.
template <typename Reader>
void ExpectEveryTruncationRefused(const std::string& valid) {
  ASSERT_TRUE(Accepts<Reader>(valid));
  for (size_t size = 0; size < valid.size(); ++size) {
    EXPECT_FALSE(Accepts<Reader>(valid.substr(0, size))) << "cut to " << size << " bytes";
  }
}

// Every single-bit flip, and every byte set to 0, 0x7f, 0x80 and 0xff: any answer but a fault.
// Returns how many damaged files were accepted (values may change without harm).
template <typename Reader>
size_t CountAcceptedDamage(const std::string& valid) {
  size_t accepted = 0;
  for (size_t i = 0; i < valid.size(); ++i) {
    std::vector<uint8_t> values = {0, 0x7f, 0x80, 0xff};
    for (int bit = 0; bit < 8; ++bit) {
      values.push_back(static_cast<uint8_t>(static_cast<uint8_t>(valid[i]) ^ (1u << bit)));
    }
    for (const uint8_t value : values) {
      std::string damaged = valid;
      damaged[i] = static_cast<char>(value);
      accepted += Accepts<Reader>(damaged) ? 1 : 0;
    }
  }
  return accepted;
}

}  // namespace ringlet
