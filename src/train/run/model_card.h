// What lies beside a trained model's weights: its tokenizer's files and a card.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "train/config/run_config.h"
#include "train/run/training_run.h"

namespace ringlet {

struct CardFacts {
  const RunConfig& config;
  std::string model;
  int64_t parameters = 0;
  int64_t tokens = 0;
  double seconds = 0;
  int64_t merged = 1;
  std::optional<TrainingRun::HeldOut> heldout;
};

// README.md of a model: what it is, what it was trained on, with which settings.
std::string ModelCard(const CardFacts& facts);

// The files of a tokenizer by name: those of a directory that publish one, or a single file as
// tokenizer.json. Empty path: none. Errors: the file's.
Result<std::map<std::string, std::string>> TokenizerFiles(const std::string& path);

}  // namespace ringlet
