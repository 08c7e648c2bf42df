#include "server/api/grammar_constraint.h"

#include <algorithm>
#include <utility>

namespace ringlet {
namespace {

void SetBit(std::vector<uint64_t>& bits, int32_t id) {
  const auto word = static_cast<size_t>(id) / 64;
  if (id >= 0 && word < bits.size()) bits[word] |= uint64_t{1} << (id % 64);
}

}  // namespace

GrammarConstraint::GrammarConstraint(ConstraintPlan plan, int64_t vocab,
                                     std::vector<int32_t> end_ids, Decoding::TokenBytes token_bytes)
    : plan_(std::move(plan)),
      vocab_(vocab),
      end_ids_(std::move(end_ids)),
      token_bytes_(std::move(token_bytes)) {
  if (plan_.thinking_open) {
    phase_ = Phase::kReasoning;
  } else {
    BeginContent("");
  }
}

std::span<const uint64_t> GrammarConstraint::Allowed() {
  switch (phase_) {
    case Phase::kReasoning:
      if (plan_.thinking_budget < 0 || reasoning_ < plan_.thinking_budget) return {};
      phase_ = Phase::kEndReasoning;
      forced_ = plan_.think_end;
      [[fallthrough]];
    case Phase::kEndReasoning:
      AllowLiteral(forced_);
      return allowed_;
    case Phase::kFree:
      return {};
    case Phase::kHeld:
      matcher_->FillAllowed(allowed_);
      // End tokens may lie beyond the grammar's vocabulary.
      allowed_.resize((static_cast<size_t>(vocab_) + 63) / 64);
      if (part_ + 1 == plan_.parts.size() && matcher_->CanEnd()) AllowEnd();
      if (rounds_ > 0 && part_ == 0 && fresh_) AllowEnd();
      if (at_begin_) SetBit(allowed_, plan_.think_begin);
      return allowed_;
    case Phase::kEnd:
      ClearAllowed();
      AllowEnd();
      return allowed_;
  }
  return allowed_;
}

void GrammarConstraint::Accept(int32_t token) {
  const bool first = std::exchange(at_begin_, false);
  if (first && token == plan_.think_begin && token >= 0) {
    phase_ = Phase::kReasoning;
    return;
  }
  const std::string bytes = token_bytes_(token);
  switch (phase_) {
    case Phase::kReasoning:
    case Phase::kEndReasoning:
      return ReasoningText(bytes);
    case Phase::kFree:
      return FreeText(bytes);
    case Phase::kHeld:
      return AcceptHeld(bytes);
    case Phase::kEnd:
      return;
  }
}

void GrammarConstraint::ReasoningText(std::string_view bytes) {
  ++reasoning_;
  if (phase_ == Phase::kEndReasoning) forced_.erase(0, bytes.size());
  seen_ += bytes;
  const size_t end = seen_.find(plan_.think_end);
  if (end != std::string::npos) {
    const std::string rest = seen_.substr(end + plan_.think_end.size());
    return BeginContent(rest);
  }
  if (seen_.size() > plan_.think_end.size()) seen_.erase(0, seen_.size() - plan_.think_end.size());
}

// `text` came with the token that ended the reasoning.
void GrammarConstraint::BeginContent(std::string_view text) {
  seen_.clear();
  if (plan_.parts.empty() || !plan_.trigger.empty()) {
    phase_ = Phase::kFree;
    return FreeText(text);
  }
  BeginPart(0);
  const size_t word = text.find_first_not_of(" \t\r\n");
  if (word != std::string_view::npos) AcceptHeld(text.substr(word));
}

void GrammarConstraint::FreeText(std::string_view bytes) {
  const std::string& trigger = plan_.trigger;
  if (trigger.empty()) return;
  seen_ += bytes;
  const size_t at = seen_.find(trigger);
  if (at != std::string::npos) {
    const std::string text = seen_.substr(at);
    BeginPart(0);
    return AcceptHeld(text);
  }
  if (seen_.size() > trigger.size()) seen_.erase(0, seen_.size() - trigger.size());
}

void GrammarConstraint::BeginPart(size_t part) {
  seen_.clear();
  if (part == plan_.parts.size()) {
    ++rounds_;
    if (!plan_.repeat) {
      phase_ = Phase::kEnd;
      return;
    }
    if (!plan_.trigger.empty()) {
      phase_ = Phase::kFree;
      return;
    }
    part = 0;
  }
  part_ = part;
  fresh_ = true;
  phase_ = Phase::kHeld;
  matcher_ = std::make_unique<GrammarMatcher>(*plan_.parts[part]);
}

// Byte by byte: text that came with a marker may reach into the next part.
void GrammarConstraint::AcceptHeld(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size() && phase_ == Phase::kHeld; ++i) {
    const std::string_view byte = bytes.substr(i, 1);
    if (matcher_->AcceptBytes(byte)) {
      fresh_ = false;
      if (matcher_->MustEnd()) BeginPart(part_ + 1);
    } else if (matcher_->CanEnd() && part_ + 1 < plan_.parts.size()) {
      BeginPart(part_ + 1);
      --i;
    } else {
      // What was not allowed was written with the marker: nothing more may follow.
      phase_ = Phase::kEnd;
    }
  }
}

void GrammarConstraint::AllowEnd() {
  for (const int32_t id : end_ids_) SetBit(allowed_, id);
}

void GrammarConstraint::ClearAllowed() {
  allowed_.assign((static_cast<size_t>(vocab_) + 63) / 64, 0);
}

// Tokens that are a beginning of `rest`.
void GrammarConstraint::AllowLiteral(std::string_view rest) {
  ClearAllowed();
  for (int32_t id = 0; id < vocab_; ++id) {
    const std::string bytes = token_bytes_(id);
    if (!bytes.empty() && rest.starts_with(bytes)) SetBit(allowed_, id);
  }
}

}  // namespace ringlet
