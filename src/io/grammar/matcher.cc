#include "io/grammar/matcher.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "io/grammar/limits.h"
#include "io/grammar/machine.h"
#include "io/grammar/token_masks.h"

namespace ringlet {

using grammar::Machine;

struct GrammarMatcher::Core {
  Core(std::shared_ptr<const Grammar> g, std::shared_ptr<const VocabularyTrie> v)
      : source(std::move(g)),
        vocabulary(std::move(v)),
        machine(source->automaton()),
        masks(machine, *vocabulary) {}

  bool Full() const { return machine.bytes() + masks.bytes() > grammar::kSoftMatcherBytes; }

  const std::shared_ptr<const Grammar> source;
  const std::shared_ptr<const VocabularyTrie> vocabulary;
  std::mutex mutex;  // of all below; a successor's is only taken after its predecessor's
  Machine machine;
  grammar::TokenMasks masks;
  std::weak_ptr<Core> successor;  // where the matchers of a full core move
};

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Grammar> grammar,
                               std::shared_ptr<const VocabularyTrie> vocabulary)
    : core_(std::make_shared<Core>(std::move(grammar), std::move(vocabulary))) {
  core_->machine.StartWork();
  Enter(core_->machine.Start());
  if (core_->machine.exhausted()) Fail();
}

void GrammarMatcher::Enter(uint32_t set) {
  set_ = set;
  can_end_ = (core_->machine.Flags(set) & Machine::kAccepts) != 0;
  can_go_on_ = !core_->machine.Configs(set).empty();
}

void GrammarMatcher::Fail() {
  status_ = Status(StatusCode::kResource,
                   "the grammar: found a step that needs more work or memory than a step may, "
                   "expected a less ambiguous grammar");
}

// A full core is left for its successor, which all its matchers share.
void GrammarMatcher::MakeRoom() {
  const std::shared_ptr<Core> old = core_;
  const std::lock_guard lock(old->mutex);
  if (!old->Full()) return;
  std::shared_ptr<Core> next = old->successor.lock();
  if (next != nullptr) {
    const std::lock_guard next_lock(next->mutex);
    if (next->Full()) next = nullptr;
  }
  if (next == nullptr) next = std::make_shared<Core>(old->source, old->vocabulary);
  old->successor = next;
  const std::lock_guard next_lock(next->mutex);
  next->machine.StartWork();
  set_ = next->machine.Adopt(old->machine, set_);
  core_ = next;
}

void GrammarMatcher::FillAllowed(std::vector<uint64_t>& bits) {
  bits.assign((static_cast<size_t>(core_->vocabulary->vocab_size()) + 63) / 64, 0);
  if (!status_.ok() || !can_go_on_) return;
  MakeRoom();
  const std::lock_guard lock(core_->mutex);
  core_->machine.StartWork();
  const std::vector<uint64_t>* mask = core_->masks.Of(set_);
  if (mask == nullptr) return Fail();
  bits = *mask;
}

bool GrammarMatcher::Accept(int32_t token) {
  const std::string_view bytes = core_->vocabulary->TokenBytes(token);
  return !bytes.empty() && AcceptBytes(bytes);
}

bool GrammarMatcher::AcceptBytes(std::string_view bytes) {
  constexpr size_t kPiece = 64;  // a long text must not use up the work of one step
  if (!status_.ok()) return bytes.empty();
  const GrammarMatcher before = *this;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    MakeRoom();
    if (Step(bytes.substr(at, kPiece))) continue;
    const Status failure = status_;
    *this = before;
    status_ = failure;
    return false;
  }
  return true;
}

bool GrammarMatcher::Step(std::string_view bytes) {
  const std::lock_guard lock(core_->mutex);
  Machine& machine = core_->machine;
  machine.StartWork();
  uint32_t set = set_;
  for (const char byte : bytes) {
    set = machine.Next(set, core_->source->automaton().ByteClass(static_cast<uint8_t>(byte)));
    if (machine.exhausted()) {
      Fail();
      return false;
    }
    if (machine.Configs(set).empty() && (machine.Flags(set) & Machine::kAccepts) == 0) return false;
  }
  Enter(set);
  return true;
}

}  // namespace ringlet
