// Checkpoints of a process that is killed at random moments, many times.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "train/store/checkpoint_test_contents.h"

namespace ringlet {
namespace {

using testing::IsWhole;
using testing::TestCheckpoint;

constexpr int kKills = 60;
constexpr size_t kFloats = 5000;

// Saves one checkpoint after the other from the newest on and reports each one that is safe.
[[noreturn]] void SaveForever(const std::string& directory, int report) {
  Result<CheckpointStore> store = CheckpointStore::Open(directory, {.keep = 2, .keep_every = 0});
  if (!store.ok()) ::_exit(1);
  const std::vector<int64_t> steps = store->Steps().value();
  for (int64_t step = steps.empty() ? 1 : steps.back() + 1;; ++step) {
    const TestCheckpoint checkpoint(step, kFloats);
    if (!store->Save(checkpoint.contents).ok()) ::_exit(2);
    if (::write(report, &step, sizeof(step)) != sizeof(step)) ::_exit(3);
  }
}

TEST(CheckpointKillTest, KillsLoseNothing) {
  const std::string directory = ::testing::TempDir() + "/ringlet_store_kill";
  std::filesystem::remove_all(directory);
  Rng rng(11);
  int64_t safe = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe[0]);
      SaveForever(directory, pipe[1]);
    }
    ::close(pipe[1]);
    // Mostly within the first few checkpoints; the first report tells that it got going.
    int64_t step = 0;
    if (kill % 3 == 0 && ::read(pipe[0], &step, sizeof(step)) == sizeof(step)) safe = step;
    ::usleep(static_cast<useconds_t>(rng.Below(12'000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    while (::read(pipe[0], &step, sizeof(step)) == sizeof(step)) safe = step;
    ::close(pipe[0]);

    const Result<CheckpointStore> store = CheckpointStore::Open(directory, {.keep = 2});
    ASSERT_TRUE(store.ok()) << store.status().message();
    std::vector<DamagedCheckpoint> damaged;
    const auto newest = store.value().LoadNewest(&damaged);
    ASSERT_TRUE(newest.ok()) << newest.status().message();
    ASSERT_TRUE(damaged.empty()) << damaged[0].problem.message();
    if (safe > 0) {
      ASSERT_TRUE(newest.value().has_value()) << "checkpoint " << safe << " is lost";
      ASSERT_GE(newest.value()->step(), safe);
      ASSERT_TRUE(IsWhole(*newest.value(), kFloats));
    }
  }
  EXPECT_GE(safe, kKills / 3);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ringlet
