// StepPace: how many rows of prompts may share a step with answers under way, so that they wait at
// most a given factor longer for their next token. Learns from measured steps.
#pragma once

#include <cstdint>
#include <vector>

namespace ringlet {

class StepPace {
 public:
  // `slowdown`: a step with prompts may take so many times as long as one without; at least 1.
  explicit StepPace(double slowdown) : slowdown_(slowdown) {}

  // Rows for prompts beside `answers` > 0 rows of answers: 0 now and then, to measure a step
  // without, else at least kFewest.
  int64_t PromptRows(int64_t answers) const;
  void Measured(int64_t answers, int64_t prompt_rows, double seconds);

  static constexpr int64_t kFewest = 1;

 private:
  static constexpr int kStale = 64;  // steps until a time without prompts is measured again

  struct Alone {
    double seconds = 0;
    int age = kStale;
  };
  const double slowdown_;
  std::vector<Alone> alone_;  // by the number of answers
  double row_seconds_ = 0;    // a row of a prompt takes; 0: unknown
};

}  // namespace ringlet
