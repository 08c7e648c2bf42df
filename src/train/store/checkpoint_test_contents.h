// Checkpoints for tests, whose every byte follows from the step.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include <fmt/format.h>

#include "base/rng.h"
#include "train/store/checkpoint_store.h"

namespace ringlet::testing {

struct TestCheckpoint {
  std::vector<float> weights;
  std::vector<float> moments;
  CheckpointContents contents;

  explicit TestCheckpoint(int64_t step, size_t floats = 500) : weights(floats), moments(7) {
    Rng rng(static_cast<uint64_t>(step));
    for (float& x : weights) x = static_cast<float>(rng.Normal());
    for (float& x : moments) x = static_cast<float>(rng.Normal());
    contents.step = step;
    contents.texts["config.toml"] = fmt::format("steps = {}\n", step);
    contents.texts["state.json"] = fmt::format("{{\"rng\": {}}}", rng.Next());
    contents.tensors["weights"] = {
        {"w", DType::kF32, {static_cast<int64_t>(floats)}, std::as_bytes(std::span(weights))},
        {"b", DType::kF32, {7}, std::as_bytes(std::span(moments))}};
    contents.tensors["none"] = {};
  }
  TestCheckpoint(const TestCheckpoint&) = delete;
  TestCheckpoint& operator=(const TestCheckpoint&) = delete;
};

// `stored` holds what was saved for its step.
inline ::testing::AssertionResult IsWhole(const StoredCheckpoint& stored, size_t floats = 500) {
  const TestCheckpoint want(stored.step(), floats);
  for (const auto& [name, text] : want.contents.texts) {
    const Result<std::string_view> got = stored.Text(name);
    if (!got.ok()) return ::testing::AssertionFailure() << got.status().message();
    if (got.value() != text) return ::testing::AssertionFailure() << name << " differs";
  }
  const auto tensors = stored.Tensors("weights");
  if (!tensors.ok()) return ::testing::AssertionFailure() << tensors.status().message();
  for (const CheckpointTensor& tensor : want.contents.tensors.at("weights")) {
    const StoredTensor* got = tensors.value()->Find(tensor.name);
    if (got == nullptr || got->data.size() != tensor.data.size() ||
        std::memcmp(got->data.data(), tensor.data.data(), tensor.data.size()) != 0) {
      return ::testing::AssertionFailure() << "tensor " << tensor.name << " differs";
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace ringlet::testing
