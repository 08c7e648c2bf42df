#include "engine/batcher.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "engine/sequence_state.h"
#include "engine/session_file.h"
#include "ops/kv_block.h"

namespace ringlet {
namespace {

// Anchors in the prefix cache are at most so far apart: what an edit can cost to compute again.
constexpr int64_t kAnchorGrid = 512;
// The engine may write the next anchor while the cache keeps the last.
constexpr size_t kAnchorsPerSequence = 2;

int64_t PagesOf(int64_t tokens) { return (tokens + kBlockPositions - 1) / kBlockPositions; }

size_t StateOfSequence(const StateBytes& bytes) {
  return kAnchorsPerSequence * bytes.anchor + bytes.tail;
}

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

struct Batcher::Job {
  Job(JobId i, JobRequest r, std::shared_ptr<JobListener> l, const IsaChoice& isa)
      : id(i),
        request(std::move(r)),
        listener(std::move(l)),
        decoding(request.prompt, request.options, isa, request.token_bytes) {
    statistics.prompt_tokens = decoding.prompt_size();
  }

  int64_t length() const { return sequence.length(); }
  // Tokens to compute: 1 when an answer is under way.
  int64_t pending() const { return std::ssize(decoding.tokens()) - length(); }
  bool reads_prompt() const { return length() < decoding.prompt_size(); }
  bool computes_all() const { return request.score_prompt || request.mean_hidden; }

  JobId id;
  JobRequest request;
  std::shared_ptr<JobListener> listener;
  Decoding decoding;
  Sequence sequence;
  int64_t anchored = 0;  // where the cache has the last anchor of the sequence
  bool cancelled = false;
  bool started = false;
  Status failure;
  std::string text;             // became final in this step
  std::vector<int32_t> tokens;  // of this step: the decoding's grow while it is computed
  std::vector<TokenLogprobs> prompt_scores;
  std::vector<double> mean_hidden;
  JobStatistics statistics;
  Clock::time_point submitted = Clock::now();
  Clock::time_point begun;
  Clock::time_point first_token;
};

struct Batcher::Piece {
  Job* job;
  int64_t count;
};

Result<std::unique_ptr<Batcher>> Batcher::Create(std::shared_ptr<const Model> model,
                                                 std::shared_ptr<Context> context,
                                                 const BatcherOptions& options) {
  BatcherOptions resolved = options;
  const StateBytes bytes = StateBytes::Of(*model);
  const size_t states = StateOfSequence(bytes) * static_cast<size_t>(options.max_sequences);
  if (resolved.context <= 0) {
    resolved.context = model->config().max_position;
    if (bytes.page > 0 && states < options.memory_bytes) {
      const size_t pages = (options.memory_bytes - states) / bytes.page;
      resolved.context = std::min(resolved.context, static_cast<int64_t>(pages) * kBlockPositions);
    }
  }
  const size_t longest = static_cast<size_t>(PagesOf(resolved.context)) * bytes.page;
  if (states + longest > options.memory_bytes) {
    return Status(
        StatusCode::kResource,
        fmt::format("memory for sequences: found {}, expected at least {}: {} for the states of {} "
                    "sequences and {} for a context of {} tokens",
                    FormatBytes(options.memory_bytes), FormatBytes(states + longest),
                    FormatBytes(states), options.max_sequences, FormatBytes(longest),
                    resolved.context));
  }
  std::shared_ptr<PageSlab> pages;
  if (bytes.page > 0) {
    pages = std::make_shared<PageSlab>(bytes.page, (options.memory_bytes - states) / bytes.page);
  }
  return std::unique_ptr<Batcher>(
      new Batcher(std::move(model), std::move(context), resolved, std::move(pages)));
}

Batcher::Batcher(std::shared_ptr<const Model> model, std::shared_ptr<Context> context,
                 const BatcherOptions& options, std::shared_ptr<PageSlab> pages)
    : options_(options),
      bytes_(StateBytes::Of(*model)),
      pages_(std::move(pages)),
      engine_(std::make_unique<Engine>(
          model, std::move(context),
          EngineOptions{
              .max_step_rows = options.max_step_rows, .pages = pages_, .keep_anchors = false})),
      cache_(*model),
      pace_(options.max_slowdown) {}

Batcher::~Batcher() = default;

Status Batcher::Check(const JobRequest& request) const {
  RINGLET_RETURN_IF_ERROR(CheckGenerateOptions(request.prompt, request.options));
  if (std::ssize(request.prompt) > options_.context) {
    return BadInput("prompt", "", fmt::format("{} tokens", request.prompt.size()),
                    fmt::format("at most {}, the longest context", options_.context));
  }
  for (size_t i = 0; i < request.prompt.size(); ++i) {
    const int32_t id = request.prompt[i];
    if (id >= 0 && id < engine_->model().config().vocab) continue;
    return BadInput("prompt", fmt::format("[{}]", i), fmt::format("id {}", id),
                    fmt::format("0 to {}", engine_->model().config().vocab - 1));
  }
  return Status::Ok();
}

void Batcher::Submit(JobId id, JobRequest request, std::shared_ptr<JobListener> listener) {
  if (request.options.max_length <= 0 || request.options.max_length > options_.context) {
    request.options.max_length = options_.context;
  }
  waiting_.emplace(id, std::make_unique<Job>(id, std::move(request), std::move(listener),
                                             engine_->context().isa));
}

void Batcher::Cancel(JobId id) {
  if (const auto found = waiting_.find(id); found != waiting_.end()) {
    const std::unique_ptr<Job> job = std::move(found->second);
    waiting_.erase(found);
    job->cancelled = true;
    return Finish(*job, Status::Ok());
  }
  const auto found = std::ranges::find(running_, id, &Job::id);
  if (found == running_.end()) return;
  const std::unique_ptr<Job> job = TakeRunning(found->get());
  job->cancelled = true;
  Finish(*job, Status::Ok());
}

bool Batcher::Step() {
  Admit();
  if (running_.empty()) return false;
  std::vector<Piece> pieces = Compose();
  MakeRoom(pieces);
  Compute(pieces);
  // What was kept of the answers that have ended.
  if (UsedBytes() > options_.memory_bytes) cache_.Evict(UsedBytes() - options_.memory_bytes);
  return true;
}

void Batcher::Admit() {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (std::ssize(running_) >= options_.max_sequences) return;
    Job& job = *at->second;
    const std::span<const int32_t> known = job.decoding.tokens();
    if (Reuses(job) && AnotherComputes(job, cache_.Reusable(known.first(known.size() - 1)))) {
      ++at;
      continue;
    }
    // Restored first, so that making room leaves what it reuses.
    job.sequence = engine_->NewSequence();
    if (Reuses(job)) cache_.Restore(known.first(known.size() - 1), job.sequence);
    const auto pages = static_cast<size_t>(PagesOf(std::ssize(known) + 1) - PagesOf(job.length()));
    if (!running_.empty() && !Free((pages + 1) * bytes_.page)) {
      job.sequence = Sequence();
      return;
    }
    std::unique_ptr<Job> next = std::move(at->second);
    at = waiting_.erase(at);
    Start(std::move(next));
  }
}

bool Batcher::Reuses(const Job& job) const { return options_.reuse && !job.computes_all(); }

// Makes so many bytes free if what the cache keeps suffices.
bool Batcher::Free(size_t bytes) {
  const size_t free = FreeBytes();
  return free >= bytes || cache_.Evict(bytes - free) >= bytes - free;
}

// Whether waiting gives the job at least a block more than it could reuse now.
bool Batcher::AnotherComputes(const Job& job, int64_t reusable) const {
  return std::ranges::any_of(running_, [&](const std::unique_ptr<Job>& other) {
    if (!other->reads_prompt()) return false;
    const int64_t common = CommonPrefix(job.request.prompt, other->request.prompt);
    return common / kBlockPositions * kBlockPositions >= reusable + kBlockPositions;
  });
}

void Batcher::Start(std::unique_ptr<Job> job) {
  job->anchored = job->length();
  if (!job->started) {
    job->started = true;
    job->begun = Clock::now();
    job->statistics.queue_seconds = Seconds(job->begun - job->submitted);
    job->statistics.cached_tokens = job->length();
    statistics_.prompt_tokens += static_cast<uint64_t>(job->statistics.prompt_tokens);
    statistics_.reused_tokens += static_cast<uint64_t>(job->statistics.cached_tokens);
  }
  // Preempted jobs come back in the order of their ids.
  const auto at = std::ranges::lower_bound(running_, job->id, {}, &Job::id);
  running_.insert(at, std::move(job));
}

std::vector<Batcher::Piece> Batcher::Compose() {
  std::vector<Piece> pieces;
  for (const auto& job : running_) {
    if (job->pending() == 1 && !job->reads_prompt()) pieces.push_back({job.get(), 1});
  }
  const auto answers = std::ssize(pieces);
  if (answers == std::ssize(running_)) return pieces;
  int64_t rows = options_.max_step_rows - answers;
  if (answers > 0) rows = std::min(rows, pace_.PromptRows(answers));
  AddPrompts(rows, pieces);
  return pieces;
}

void Batcher::AddPrompts(int64_t rows, std::vector<Piece>& pieces) {
  std::vector<Job*> readers;
  for (const auto& job : running_) {
    if (job->pending() > 1 || job->reads_prompt()) readers.push_back(job.get());
  }
  std::ranges::stable_sort(readers, {}, &Job::pending);
  for (size_t i = 0; i < readers.size() && rows > 0; ++i) {
    Job* job = readers[i];
    const auto left = static_cast<int64_t>(readers.size() - i);
    int64_t count = std::min(job->pending(), std::max<int64_t>(1, rows / left));
    // Anchors are where pieces end, rounded down to whole blocks: better at the end itself.
    const int64_t aligned = (job->length() + count) / kBlockPositions * kBlockPositions;
    if (count < job->pending() && aligned > job->length()) count = aligned - job->length();
    pieces.push_back({job, count});
    rows -= count;
  }
}

// A sequence's own anchor that the cache keeps too counts twice: once for the sequence, whatever it
// has, and once for the cache.
size_t Batcher::UsedBytes() const {
  size_t used = StateOfSequence(bytes_) * static_cast<size_t>(options_.max_sequences);
  used += cache_.anchor_bytes();
  if (pages_ != nullptr) used += (pages_->pages() - pages_->available()) * bytes_.page;
  return used;
}

size_t Batcher::FreeBytes() const {
  const size_t used = UsedBytes();
  return used < options_.memory_bytes ? options_.memory_bytes - used : 0;
}

size_t Batcher::PageBytesFor(const Piece& piece) const {
  const int64_t length = piece.job->length();
  int64_t pages = PagesOf(length + piece.count) - PagesOf(length);
  // A page that the cache shares is copied before it is continued.
  if (length % kBlockPositions != 0 && piece.job->sequence.state().pages.back().use_count() > 1) {
    ++pages;
  }
  // The anchor that the cache may be given.
  return static_cast<size_t>(pages) * bytes_.page + (piece.count > 1 ? bytes_.anchor : 0);
}

void Batcher::MakeRoom(std::vector<Piece>& pieces) {
  while (true) {
    size_t needed = 0;
    for (const Piece& piece : pieces) needed += PageBytesFor(piece);
    // Create made sure that one fits.
    if (Free(needed) || running_.size() == 1) return;
    Job* youngest = running_.back().get();
    std::erase_if(pieces, [&](const Piece& piece) { return piece.job == youngest; });
    Preempt(youngest);
  }
}

void Batcher::Preempt(Job* job) {
  std::unique_ptr<Job> taken = TakeRunning(job);
  // What it computed may still be there when it comes back.
  if (options_.reuse) cache_.Insert(taken->sequence);
  taken->sequence = Sequence();
  if (taken->computes_all()) {
    taken->prompt_scores.clear();
    taken->mean_hidden.clear();
  }
  ++taken->statistics.preemptions;
  ++statistics_.preemptions;
  waiting_.emplace(taken->id, std::move(taken));
}

std::unique_ptr<Batcher::Job> Batcher::TakeRunning(const Job* job) {
  const auto found = std::ranges::find(running_, job, &std::unique_ptr<Job>::get);
  std::unique_ptr<Job> taken = std::move(*found);
  running_.erase(found);
  return taken;
}

// Before a piece that would leave too long a way between two anchors.
void Batcher::KeepGrid(const Piece& piece) {
  Job& job = *piece.job;
  if (!options_.reuse || !job.reads_prompt()) return;
  const int64_t here = job.sequence.state().anchor_position();
  const int64_t next = (job.length() + piece.count) / kBlockPositions * kBlockPositions;
  if (here <= job.anchored || next - job.anchored <= kAnchorGrid) return;
  cache_.Insert(job.sequence);
  job.anchored = here;
}

void Batcher::Compute(std::vector<Piece>& pieces) {
  const Clock::time_point begin = Clock::now();
  std::vector<Feed> feeds;
  int64_t answers = 0;
  int64_t prompt_rows = 0;
  for (const Piece& piece : pieces) {
    Job& job = *piece.job;
    KeepGrid(piece);
    (piece.count == 1 && !job.reads_prompt() ? answers : prompt_rows) += piece.count;
    const auto tokens = job.decoding.tokens().subspan(static_cast<size_t>(job.length()),
                                                      static_cast<size_t>(piece.count));
    job.tokens.assign(tokens.begin(), tokens.end());
    const bool wanted = piece.count == job.pending() && !job.decoding.finished();
    Feed feed;
    feed.sequence = &job.sequence;
    feed.tokens = job.tokens;
    feed.rows = job.request.score_prompt && job.reads_prompt() ? LogitRows::kAll
                : wanted                                       ? LogitRows::kLast
                                                               : LogitRows::kNone;
    feed.on_logits = [this, &job, at = job.length()](int64_t row, std::span<const float> logits) {
      OnRow(job, at + row, logits);
    };
    if (job.request.mean_hidden) {
      job.mean_hidden.resize(static_cast<size_t>(engine_->model().config().hidden));
      feed.on_hidden = [&job, at = job.length()](int64_t row, std::span<const float> hidden) {
        if (at + row >= job.decoding.prompt_size()) return;
        for (size_t i = 0; i < hidden.size(); ++i) job.mean_hidden[i] += hidden[i];
      };
    }
    feeds.push_back(std::move(feed));
  }
  const Status status = engine_->Step(feeds);
  const double seconds = Seconds(Clock::now() - begin);
  pace_.Measured(answers, prompt_rows, seconds);
  ++statistics_.steps;
  statistics_.step_seconds += seconds;
  statistics_.decode_rows += static_cast<uint64_t>(answers);
  statistics_.prefill_rows += static_cast<uint64_t>(prompt_rows);
  for (const Piece& piece : pieces) {
    if (!status.ok()) piece.job->failure = status;
    AfterPiece(piece);
  }
}

// `row` counts the sequence's tokens: the logits after tokens()[row].
void Batcher::OnRow(Job& job, int64_t row, std::span<const float> logits) {
  const std::span<const int32_t> tokens = job.decoding.tokens();
  if (row + 1 < job.decoding.prompt_size()) {
    job.prompt_scores.push_back(
        ScoreToken(engine_->context().isa, logits, tokens[static_cast<size_t>(row + 1)],
                   job.request.options.top_logprobs, job.request.options.vocab));
  } else if (row + 1 == std::ssize(tokens) && !job.decoding.finished()) {
    job.failure = job.decoding.Accept(logits, job.text);
  }
}

void Batcher::AfterPiece(const Piece& piece) {
  Job& job = *piece.job;
  job.statistics.computed_tokens += piece.count;
  const bool prompt_ended = !job.reads_prompt() && job.first_token == Clock::time_point();
  if (prompt_ended) {
    job.first_token = Clock::now();
    job.statistics.prefill_seconds = Seconds(job.first_token - job.begun);
    if (options_.reuse) {
      cache_.Insert(job.sequence);
      job.anchored = job.sequence.state().anchor_position();
    }
  } else if (job.reads_prompt()) {
    job.listener->OnPrompt(job.length(), job.statistics);
  }
  const bool done = job.decoding.finished() && !job.reads_prompt();
  if (!job.failure.ok() || done) {
    const std::unique_ptr<Job> taken = TakeRunning(&job);
    if (options_.reuse && taken->failure.ok()) cache_.Insert(taken->sequence);
    return Finish(*taken, taken->failure);
  }
  if (job.pending() == 1 && !job.reads_prompt()) {
    job.listener->OnToken(job.text, job.decoding);
    job.text.clear();
  }
}

void Batcher::Finish(Job& job, const Status& status) {
  if (job.cancelled) job.decoding.Cancel(job.text);
  ++(job.cancelled ? statistics_.cancelled
     : status.ok() ? statistics_.finished
                   : statistics_.failed);
  if (job.first_token != Clock::time_point()) {
    job.statistics.decode_seconds = Seconds(Clock::now() - job.first_token);
  }
  for (double& value : job.mean_hidden) value /= static_cast<double>(job.decoding.prompt_size());
  job.listener->OnEnd({.status = status,
                       .text = job.text,
                       .decoding = job.decoding,
                       .statistics = job.statistics,
                       .prompt_scores = job.prompt_scores,
                       .mean_hidden = job.mean_hidden});
}

BatcherStatistics Batcher::statistics() const {
  BatcherStatistics out = statistics_;
  out.running = std::ssize(running_);
  out.waiting = std::ssize(waiting_);
  out.cached_tokens = cache_.tokens();
  out.memory_bytes = UsedBytes();
  return out;
}

std::vector<RunningJob> Batcher::running() const {
  std::vector<RunningJob> out;
  for (const auto& job : running_) {
    out.push_back({.id = job->id,
                   .length = job->length(),
                   .prompt_tokens = job->decoding.prompt_size(),
                   .answer_tokens = std::ssize(job->decoding.answer())});
  }
  return out;
}

Sequence Batcher::Recall(std::span<const int32_t> tokens) {
  Sequence sequence = engine_->NewSequence();
  cache_.Restore(tokens, sequence);
  return sequence;
}

Result<int64_t> Batcher::RestoreFrom(const std::string& path) {
  size_t size = 0;
  {
    RINGLET_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
    size = file->bytes().size();
  }
  if (size > options_.memory_bytes || !Free(size)) {
    return Status(StatusCode::kResource,
                  fmt::format("{}: found {}, expected at most {}, the memory that is free", path,
                              FormatBytes(size), FormatBytes(FreeBytes())));
  }
  RINGLET_ASSIGN_OR_RETURN(Sequence sequence, RestoreSession(*engine_, path));
  cache_.Insert(sequence);
  return sequence.length();
}

}  // namespace ringlet
