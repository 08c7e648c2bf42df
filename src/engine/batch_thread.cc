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
    : batcher_(std::move(batcher)), max_waiting_(max_waiting), thread_([this] { Loop(); }) {}

BatchThread::~BatchThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<JobId> BatchThread::Submit(JobRequest request, std::shared_ptr<JobListener> listener) {
  RINGLET_RETURN_IF_ERROR(batcher_->Check(request));
  // std::function wants copies; the request moves through a pointer.
  auto shared = std::make_shared<JobRequest>(std::move(request));
  const std::lock_guard lock(mutex_);
  if (statistics_.waiting + submitted_ >= max_waiting_) {
    return Status(StatusCode::kResource,
                  fmt::format("queue: found {} requests waiting, expected fewer than {}",
                              statistics_.waiting + submitted_, max_waiting_));
  }
  const JobId id = next_id_++;
  ++submitted_;
  ++unfinished_;
  auto counting = std::make_shared<Counting>(this, id, std::move(listener));
  tasks_.push_back([this, id, shared, counting](Batcher& batcher) {
    live_.push_back(id);
    batcher.Submit(id, std::move(*shared), counting);
  });
  wake_.notify_one();
  return id;
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
