// GrammarConstraint: an answer held to grammars from a point on: from its beginning, from the end
// of its reasoning, or from a marker that the model writes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decoding.h"
#include "engine/token_constraint.h"
#include "io/grammar/matcher.h"

namespace ringlet {

struct ConstraintPlan {
  // One after the other; each ends where nothing else of it may come.
  std::vector<std::shared_ptr<const GrammarMatcher>> parts;
  // Empty: the parts hold from the beginning of the content. Else from each place where this text,
  // with which they begin, was written; between those everything may be.
  std::string trigger;
  // Whether the parts may follow again after the last: with a trigger wherever it is written, else
  // at once. Otherwise only the end may.
  bool repeat = false;

  bool thinking_open = false;  // the prompt ended inside the reasoning
  int32_t think_begin = -1;    // the token that opens it where the content would begin; -1: none
  std::string think_end = "</think>";
  int64_t thinking_budget = -1;  // tokens of reasoning, after which it is ended; -1: no limit
};

class GrammarConstraint : public TokenConstraint {
 public:
  // `token_bytes` as in Decoding; ids from `vocab` on are never allowed.
  GrammarConstraint(ConstraintPlan plan, int64_t vocab, std::vector<int32_t> end_ids,
                    Decoding::TokenBytes token_bytes);

  std::span<const uint64_t> Allowed() override;
  void Accept(int32_t token) override;

 private:
  enum class Phase { kReasoning, kEndReasoning, kFree, kHeld, kEnd };

  void BeginContent(std::string_view text);
  void BeginPart(size_t part);
  void AcceptHeld(std::string_view bytes);
  void AllowEnd();
  void AllowLiteral(std::string_view rest);
  void FreeText(std::string_view bytes);
  void ClearAllowed();
  void ReasoningText(std::string_view bytes);

  const ConstraintPlan plan_;
  const int64_t vocab_;
  const std::vector<int32_t> end_ids_;
  const Decoding::TokenBytes token_bytes_;
  Phase phase_ = Phase::kFree;
  bool at_begin_ = true;  // nothing of the answer yet
  std::string seen_;      // the end of the text, as long as the text that is waited for
  std::string forced_;    // kEndReasoning: what is left to write
  int64_t reasoning_ = 0;
  size_t part_ = 0;
  int64_t rounds_ = 0;  // times that the last part has ended
  bool fresh_ = false;  // nothing of the part yet
  std::unique_ptr<GrammarMatcher> matcher_;
  std::vector<uint64_t> allowed_;
};

}  // namespace ringlet
