// What a load test sends and when: a function of the options and the seed alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "server/load/options.h"

namespace ringlet {

// Seconds after the start at which the requests of an open loop are due, ascending.
class ArrivalTimes {
 public:
  ArrivalTimes(const LoadTestOptions& options, uint64_t seed)
      : kind_(options.arrivals), rate_(options.rate), rng_(seed) {}

  // Constant arrivals begin at 0; those of a Poisson process have exponential gaps.
  double Next();

 private:
  LoadTestOptions::Arrivals kind_;
  double rate_;
  Rng rng_;
  double last_ = 0;
  int64_t count_ = 0;
};

// A word of prompts and its tokens.
struct PromptWord {
  std::string text;  // begins with a space
  std::vector<int32_t> ids;
};

// The words that prompts are made of, without ids.
std::vector<PromptWord> PromptWords();

// Bodies of requests, made of random words whose ids are known.
class RequestMaker {
 public:
  // `words`: at least one, each with ids.
  RequestMaker(LoadTestOptions options, std::vector<PromptWord> words);

  // "/v1/completions" or "/v1/chat/completions".
  std::string Path() const;
  // The body of request `index`. Prompts of completions are ids, exactly as many as drawn; those of
  // chats are words of at least as many tokens, to which the model's template adds.
  std::string Body(uint64_t index) const;

 private:
  struct Text {
    std::string words;
    std::vector<int32_t> ids;
  };

  void AddWords(Rng& rng, int64_t tokens, Text& text) const;

  const LoadTestOptions options_;
  const std::vector<PromptWord> words_;
  Text prefix_;
};

}  // namespace ringlet
