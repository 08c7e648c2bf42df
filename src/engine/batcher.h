// Batcher: many answers at a time on one engine.
//
// Each Step computes one row of every answer under way and, with what is left of the engine's row
// budget, pieces of the prompts that are being read. Scheduling never changes an answer: by the row
// contract its bits are those of the job alone. What it may change is time:
//   prompts    share the rows of a step equally, short ones first; while answers are under way they
//              get as many rows as make the step at most `max_slowdown` times as long
//   memory     pages, anchors and tails stay within `memory_bytes`; what the prefix cache keeps is
//              forgotten first, then the youngest job waits again (and continues with the same
//              bits)
//   sharing    a job whose beginning another one is just computing waits for it
//
// Not thread-safe: BatchThread runs one.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"
#include "engine/job.h"
#include "engine/prefix_cache.h"
#include "engine/state_bytes.h"
#include "engine/step_pace.h"

namespace ringlet {

struct BatcherOptions {
  int64_t max_sequences = 16;  // answers under way
  int64_t context = 0;  // tokens of a prompt and its answer; 0: as many as model and memory allow
  size_t memory_bytes = size_t{1} << 30;
  double max_slowdown = 1.8;
  bool reuse = true;  // keep what was computed for prompts that begin alike
  int64_t max_step_rows = 512;
};

struct BatcherStatistics {
  int64_t running = 0;
  int64_t waiting = 0;
  int64_t cached_tokens = 0;  // in the prefix cache
  size_t memory_bytes = 0;    // in use: pages, anchors and tails
  // Since the beginning.
  uint64_t finished = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t preemptions = 0;
  uint64_t steps = 0;
  uint64_t prompt_tokens = 0;  // of jobs that were admitted
  uint64_t reused_tokens = 0;
  uint64_t prefill_rows = 0;
  uint64_t decode_rows = 0;
  double step_seconds = 0;
};

// One answer under way, for `/slots`.
struct RunningJob {
  JobId id = 0;
  int64_t length = 0;  // tokens computed
  int64_t prompt_tokens = 0;
  int64_t answer_tokens = 0;
};

class Batcher {
 public:
  // Errors: kResource when memory_bytes does not hold one sequence of `context` tokens beside the
  // states of the others; the message names what would fit.
  static Result<std::unique_ptr<Batcher>> Create(std::shared_ptr<const Model> model,
                                                 std::shared_ptr<Context> context,
                                                 const BatcherOptions& options);
  ~Batcher();

  // Longest prompt and answer together.
  int64_t context() const { return options_.context; }
  int64_t vocab() const { return engine_->model().config().vocab; }
  int64_t hidden() const { return engine_->model().config().hidden; }
  int64_t max_sequences() const { return options_.max_sequences; }
  Engine& engine() { return *engine_; }

  // Whether `request` can ever run. Any thread may ask.
  Status Check(const JobRequest& request) const;
  // Puts a checked job at the end of the queue. Ids must ascend.
  void Submit(JobId id, JobRequest request, std::shared_ptr<JobListener> listener);
  // Ends a job, whose listener hears so; no effect when it has ended.
  void Cancel(JobId id);

  // Computes a step. False when there was nothing to do.
  bool Step();

  BatcherStatistics statistics() const;
  std::vector<RunningJob> running() const;

  // What can be reused of `tokens`, to be saved. It must be dropped between two steps.
  Sequence Recall(std::span<const int32_t> tokens);
  // Reads a session file (engine/session_file.h) to be reused; returns its tokens. Errors: those of
  // RestoreSession, kResource when there is no room for it.
  Result<int64_t> RestoreFrom(const std::string& path);

 private:
  struct Job;
  struct Piece;
  using Clock = std::chrono::steady_clock;

  Batcher(std::shared_ptr<const Model> model, std::shared_ptr<Context> context,
          const BatcherOptions& options, std::shared_ptr<PageSlab> pages);

  void Admit();
  bool AnotherComputes(const Job& job, int64_t reusable) const;
  bool Reuses(const Job& job) const;
  void Start(std::unique_ptr<Job> job);
  std::vector<Piece> Compose();
  void AddPrompts(int64_t rows, std::vector<Piece>& pieces);
  // Makes room for the pieces, by evicting, then by preempting; drops pieces of jobs that now wait.
  void MakeRoom(std::vector<Piece>& pieces);
  size_t PageBytesFor(const Piece& piece) const;
  size_t UsedBytes() const;
  size_t FreeBytes() const;
  bool Free(size_t bytes);
  void Preempt(Job* job);
  void KeepGrid(const Piece& piece);
  void Compute(std::vector<Piece>& pieces);
  void OnRow(Job& job, int64_t row, std::span<const float> logits);
  void AfterPiece(const Piece& piece);
  void Finish(Job& job, const Status& status);
  std::unique_ptr<Job> TakeRunning(const Job* job);

  const BatcherOptions options_;
  const StateBytes bytes_;
  std::shared_ptr<PageSlab> pages_;
  std::unique_ptr<Engine> engine_;
  PrefixCache cache_;
  StepPace pace_;
  std::map<JobId, std::unique_ptr<Job>> waiting_;
  std::vector<std::unique_ptr<Job>> running_;  // oldest first
  BatcherStatistics statistics_;
};

}  // namespace ringlet
