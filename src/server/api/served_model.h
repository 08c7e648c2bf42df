// The model that a server answers with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/batch_thread.h"
#include "engine/decoding.h"
#include "engine/job.h"
#include "model/text_model.h"
#include "server/api/grammar_cache.h"

namespace ringlet {

struct ServedModel {
  std::string id;       // what clients call it
  int64_t created = 0;  // seconds since 1970
  TextModel text;
  SamplerOptions sampling;       // where a request says nothing
  std::optional<uint64_t> seed;  // likewise; without one each request has a fresh seed
  // Hears of each answer when it ends; may be empty. Any thread.
  std::function<void(const OrderedJson&)> log;
  std::vector<int32_t> end_ids;
  int64_t vocab = 0;              // ids that may be drawn
  int64_t context = 0;            // tokens of a prompt and its answer
  std::string session_directory;  // empty: sessions are not saved
  std::unique_ptr<BatchThread> batches;
  std::unique_ptr<GrammarCache> grammars;

  // A job that continues `prompt`; what a model fixes is filled in.
  JobRequest MakeJob(std::vector<int32_t> prompt, GenerateOptions options) const;

  // The bytes a token adds to an answer: nothing for control tokens but those that mark reasoning
  // and calls of tools.
  std::string AnswerBytes(int32_t token) const;

  // A token's bytes if they are text, else "bytes:\xE2\x82", as OpenAI's server writes them.
  std::string TokenText(int32_t token) const;
};

// "chatcmpl-" and 24 random letters and digits.
std::string NewId(std::string_view prefix);

int64_t UnixSeconds();

}  // namespace ringlet
