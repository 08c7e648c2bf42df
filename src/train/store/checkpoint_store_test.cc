#include "train/store/checkpoint_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "train/store/checkpoint_test_contents.h"

namespace ringlet {
namespace {

using testing::IsWhole;
using testing::TestCheckpoint;
namespace fs = std::filesystem;

// Passes calls on until `fail_at` of them changed something; that one fails after having done half
// its work. `dead`: so do all calls after it, as if the process had been killed.
class FaultyFiles : public FileSystem {
 public:
  FaultyFiles(int fail_at, bool dead) : left_(fail_at), dead_(dead) {}

  bool failed() const { return failed_; }
  uint64_t free_bytes = UINT64_MAX;

  Status MakeDirectory(const std::string& path) override {
    return Count() ? files_->MakeDirectory(path) : Fault();
  }
  Result<std::unique_ptr<OutputFile>> Create(const std::string& path) override {
    if (!Count()) return Fault();
    RINGLET_ASSIGN_OR_RETURN(std::unique_ptr<OutputFile> file, files_->Create(path));
    return std::unique_ptr<OutputFile>(std::make_unique<File>(this, std::move(file)));
  }
  Status SyncDirectory(const std::string& path) override {
    return Count() ? files_->SyncDirectory(path) : Fault();
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return Count() ? files_->Rename(from, to) : Fault();
  }
  Status RemoveFile(const std::string& path) override {
    return Count() ? files_->RemoveFile(path) : Fault();
  }
  Status RemoveDirectory(const std::string& path) override {
    return Count() ? files_->RemoveDirectory(path) : Fault();
  }
  Result<std::vector<std::string>> List(const std::string& path) override {
    return files_->List(path);
  }
  Result<uint64_t> FreeBytes(const std::string&) override { return free_bytes; }

 private:
  class File : public OutputFile {
   public:
    File(FaultyFiles* owner, std::unique_ptr<OutputFile> file)
        : owner_(owner), file_(std::move(file)) {}
    Status Write(std::span<const std::byte> bytes) override {
      if (owner_->Count()) return file_->Write(bytes);
      (void)file_->Write(bytes.first(bytes.size() / 2));
      return owner_->Fault();
    }
    Status SyncAndClose() override {
      return owner_->Count() ? file_->SyncAndClose() : owner_->Fault();
    }

   private:
    FaultyFiles* owner_;
    std::unique_ptr<OutputFile> file_;
  };

  bool Count() {
    if (failed_) return !dead_;
    if (left_-- > 0) return true;
    failed_ = true;
    return false;
  }
  static Status Fault() { return Status(StatusCode::kResource, "No space left on device"); }

  std::shared_ptr<FileSystem> files_ = PosixFileSystem();
  int left_;
  bool dead_;
  bool failed_ = false;
};

class CheckpointStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = ::testing::TempDir() + "/ringlet_store_" + info->name();
    fs::remove_all(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  CheckpointStore Open(const RetentionRule& rule = {},
                       std::shared_ptr<FileSystem> files = PosixFileSystem()) {
    Result<CheckpointStore> store = CheckpointStore::Open(directory_, rule, std::move(files));
    EXPECT_TRUE(store.ok()) << store.status().message();
    return std::move(store).value();
  }
  static void Save(CheckpointStore* store, int64_t step) {
    const TestCheckpoint checkpoint(step);
    const Status status = store->Save(checkpoint.contents);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  // Step of the newest sound checkpoint, -1: none; `damaged` counts those passed over.
  static int64_t Newest(const CheckpointStore& store, size_t* damaged = nullptr) {
    std::vector<DamagedCheckpoint> bad;
    const auto loaded = store.LoadNewest(&bad);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    if (damaged != nullptr) *damaged = bad.size();
    if (!loaded.ok() || !loaded.value()) return -1;
    EXPECT_TRUE(IsWhole(*loaded.value()));
    return loaded.value()->step();
  }

  std::string directory_;
};

TEST_F(CheckpointStoreTest, KeepsTheNewestAndEveryMth) {
  CheckpointStore store = Open({.keep = 2, .keep_every = 40});
  EXPECT_EQ(Newest(store), -1);
  for (int64_t step = 10; step <= 100; step += 10) Save(&store, step);
  EXPECT_EQ(store.Steps().value(), (std::vector<int64_t>{40, 80, 90, 100}));
  EXPECT_EQ(Newest(store), 100);
  EXPECT_TRUE(IsWhole(store.Load(40).value()));
  ASSERT_TRUE(store.RemoveAfter(80).ok());
  EXPECT_EQ(store.Steps().value(), (std::vector<int64_t>{40, 80}));
}

TEST_F(CheckpointStoreTest, TwoRunsDoNotShareADirectory) {
  const CheckpointStore store = Open();
  const Result<CheckpointStore> other = CheckpointStore::Open(directory_, {});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), StatusCode::kResource);
}

TEST_F(CheckpointStoreTest, ASoundCheckpointIsNotReplacedADamagedOneIs) {
  CheckpointStore store = Open();
  Save(&store, 5);
  const TestCheckpoint checkpoint(5);
  EXPECT_EQ(store.Save(checkpoint.contents).code(), StatusCode::kInvalidInput);
  fs::resize_file(directory_ + "/step-000000000005/state.json", 3);
  EXPECT_EQ(Newest(store), -1);
  Save(&store, 5);
  EXPECT_EQ(Newest(store), 5);
}

// Every byte of every file counts.
TEST_F(CheckpointStoreTest, DamagedCheckpointsAreNamedAndPassedOver) {
  CheckpointStore store = Open();
  Save(&store, 1);
  Save(&store, 2);
  const std::string newest = directory_ + "/step-000000000002";
  for (const auto& entry : fs::directory_iterator(newest)) {
    const std::string path = entry.path().string();
    const std::string good = ReadFile(path).value();
    const auto write = [&](const std::string& bytes) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    };
    for (size_t at = 0; at<good.size(); at += good.size()> 400 ? 97 : 1) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 4);
      write(bad);
      std::vector<DamagedCheckpoint> damaged;
      const auto loaded = store.LoadNewest(&damaged);
      ASSERT_TRUE(loaded.ok() && loaded.value()) << path << " byte " << at;
      // White space in the manifest is nobody's.
      if (loaded.value()->step() == 2 && path.ends_with("manifest.json")) {
        EXPECT_TRUE(IsWhole(*loaded.value()));
        continue;
      }
      ASSERT_EQ(loaded.value()->step(), 1) << path << " byte " << at;
      ASSERT_EQ(damaged.size(), 1U);
      EXPECT_EQ(damaged[0].path, newest);
      EXPECT_TRUE(damaged[0].problem.message().starts_with(path)) << damaged[0].problem.message();
    }
    for (const size_t size : {size_t{0}, good.size() / 2, good.size() - 1}) {
      write(good.substr(0, size));
      size_t damaged = 0;
      const int64_t found = Newest(store, &damaged);
      if (found == 2 && path.ends_with("manifest.json")) continue;  // the last line's end
      EXPECT_EQ(found, 1) << path << " size " << size;
      EXPECT_EQ(damaged, 1U);
    }
    fs::remove(path);
    EXPECT_EQ(Newest(store), 1) << path;
    write(good);
    EXPECT_EQ(Newest(store), 2);
  }
}

TEST_F(CheckpointStoreTest, AFullDiskIsSaidBeforeAnythingIsWritten) {
  const auto files = std::make_shared<FaultyFiles>(1'000'000, false);
  CheckpointStore store = Open({}, files);
  Save(&store, 1);
  files->free_bytes = 1000;
  const TestCheckpoint checkpoint(2);
  const Status status = store.Save(checkpoint.contents);
  EXPECT_EQ(status.code(), StatusCode::kResource);
  EXPECT_NE(status.message().find("1000 bytes free"), std::string::npos) << status.message();
  EXPECT_EQ(store.Steps().value(), (std::vector<int64_t>{1}));
  files->free_bytes = UINT64_MAX;
  Save(&store, 2);
}

// Whichever call fails, and whether or not the process lives on: the checkpoint before is there,
// and the next one can be saved.
TEST_F(CheckpointStoreTest, AnyFailureLeavesThePreviousCheckpoint) {
  for (const bool dead : {false, true}) {
    bool reached_end = false;
    for (int fail_at = 0; !reached_end; ++fail_at) {
      fs::remove_all(directory_);
      const RetentionRule rule = {.keep = 1, .keep_every = 0};
      {
        CheckpointStore store = Open(rule);
        Save(&store, 1);
      }
      const auto files = std::make_shared<FaultyFiles>(fail_at, dead);
      Status saved(StatusCode::kIo, "not opened");
      {
        Result<CheckpointStore> store = CheckpointStore::Open(directory_, rule, files);
        if (store.ok()) {
          const TestCheckpoint checkpoint(2);
          saved = store->Save(checkpoint.contents);
          EXPECT_EQ(saved.ok(), !files->failed());
          if (!dead && files->failed()) {
            const Status again = store->Save(checkpoint.contents);
            EXPECT_TRUE(again.ok() || Newest(*store) == 2) << again.message();
          }
        }
      }
      reached_end = !files->failed();
      CheckpointStore store = Open(rule);
      size_t damaged = 0;
      const int64_t newest = Newest(store, &damaged);
      EXPECT_GE(newest, saved.ok() ? 2 : 1) << fail_at;
      EXPECT_EQ(damaged, 0U) << fail_at;
      Save(&store, 3);
      EXPECT_EQ(store.Steps().value(), (std::vector<int64_t>{3})) << fail_at;
      EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1);
    }
  }
}

TEST_F(CheckpointStoreTest, NamesAreNeverPaths) {
  CheckpointStore store = Open();
  for (const char* name : {"../x", "a/b", "", ".hidden", "manifest.json", "weights.safetensors"}) {
    TestCheckpoint checkpoint(1);
    checkpoint.contents.texts[name] = "x";
    EXPECT_EQ(store.Save(checkpoint.contents).code(), StatusCode::kInvalidInput) << name;
  }
  EXPECT_EQ(store.Steps().value().size(), 0U);
}

}  // namespace
}  // namespace ringlet
