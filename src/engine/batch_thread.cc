#include "engine/batch_thread.h"

#include <fmt/format.h>

namespace ringlet {

// Passes on to a listener and tells the thread when the job has ended.
class BatchThread::Counting : public JobListener {
 public:
  Counting(BatchThread* thread, JobId id, std::shared_ptr<JobListener> listener)
      : thread_(thread), id_(id), listener_(std::move(listener)) {}

  void OnPrompt(int64_t done, const JobStatistics& statistics) override {
    listener_->OnPrompt(done, statistics);
  }
  void OnToken(std::string_view text, const Decoding& decoding) override {
    listener_->OnToken(text, decoding);
  }
  void OnEnd(const End& end) override {
    std::erase(thread_->live_, id_);
    --thread_->unfinished_;
    listener_->OnEnd(end);
  }

 private:
  BatchThread* thread_;
  JobId id_;
  std::shared_ptr<JobListener> listener_;
};

BatchThread::BatchThread(std::unique_ptr<Batcher> batcher, int64_t max_waiting)
    : batcher_(std::move(batcher)),
      max_waiting_(max_waiting),
      statistics_(batcher_->statistics()),
      thread_([this] { Loop(); }) {}

BatchThread::~BatchThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<std::vector<JobId>> BatchThread::Submit(std::vector<Submission> jobs) {
  for (const Submission& job : jobs) RINGLET_RETURN_IF_ERROR(batcher_->Check(job.request));
  // std::function wants copies; the requests move through a pointer.
  auto shared = std::make_shared<std::vector<Submission>>(std::move(jobs));
  const std::lock_guard lock(mutex_);
  const int64_t waiting = statistics_.waiting + submitted_;
  if (waiting + std::ssize(*shared) > max_waiting_) {
    return Status(
        StatusCode::kResource,
        fmt::format("queue: found {} waiting and {} more, expected at most {} in all: try again "
                    "later",
                    waiting, shared->size(), max_waiting_));
  }
  std::vector<JobId> ids;
  for (Submission& job : *shared) {
    ids.push_back(next_id_++);
    job.listener = std::make_shared<Counting>(this, ids.back(), std::move(job.listener));
  }
  submitted_ += std::ssize(ids);
  unfinished_ += std::ssize(ids);
  tasks_.push_back([this, ids, shared](Batcher& batcher) {
    for (size_t i = 0; i < ids.size(); ++i) {
      live_.push_back(ids[i]);
      batcher.Submit(ids[i], std::move((*shared)[i].request), (*shared)[i].listener);
    }
  });
  wake_.notify_one();
  return ids;
}

void BatchThread::Cancel(JobId id) {
  Post([id](Batcher& batcher) { batcher.Cancel(id); });
}

void BatchThread::Run(const std::function<void(Batcher&)>& task) {
  std::mutex mutex;
  std::condition_variable done;
  bool ran = false;
  Post([&](Batcher& batcher) {
    task(batcher);
    const std::lock_guard lock(mutex);
    ran = true;
    done.notify_one();
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return ran; });
}

BatcherStatistics BatchThread::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

std::vector<RunningJob> BatchThread::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void BatchThread::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void BatchThread::Publish() {
  const BatcherStatistics statistics = batcher_->statistics();
  std::vector<RunningJob> running = batcher_->running();
  const std::lock_guard lock(mutex_);
  statistics_ = statistics;
  running_ = std::move(running);
}

void BatchThread::Loop() {
  bool busy = false;
  while (true) {
    std::vector<Task> tasks;
    bool stop = false;
    {
      std::unique_lock lock(mutex_);
      if (!busy) wake_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
      tasks.swap(tasks_);
      stop = stop_;
      // Counted as waiting until the batcher has said so itself.
      statistics_.waiting += std::exchange(submitted_, 0);
    }
    for (const Task& task : tasks) task(*batcher_);
    if (stop) break;
    busy = batcher_->Step();
    Publish();
  }
  while (!live_.empty()) batcher_->Cancel(live_.back());
}

}  // namespace ringlet
