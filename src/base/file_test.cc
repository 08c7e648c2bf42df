#include "base/file.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/temp_dir.h"

namespace ringlet {
namespace {

class FileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }
  size_t FilesLeft() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path()))
      ++count;
    return count;
  }

  const TempDir dir_;
};

TEST_F(FileTest, WritesReadsAndMaps) {
  const std::string text("line\n\0\xff", 7);
  ASSERT_TRUE(WriteFile(Path("a"), text).ok());
  EXPECT_EQ(*ReadFile(Path("a")), text);
  const auto mapped = MappedFile::Open(Path("a"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ((*mapped)->path(), Path("a"));
  EXPECT_EQ((*mapped)->bytes().size(), text.size());
  EXPECT_TRUE(std::equal(text.begin(), text.end(), (*mapped)->bytes().begin(),
                         [](char c, std::byte b) { return static_cast<std::byte>(c) == b; }));
  EXPECT_TRUE(FileExists(Path("a")));
  EXPECT_FALSE(FileExists(dir_.path()));
  EXPECT_TRUE(IsDirectory(dir_.path()));
  EXPECT_EQ(FilesLeft(), 1u);
}

TEST_F(FileTest, AnEmptyFileMapsToNoBytes) {
  ASSERT_TRUE(WriteFile(Path("empty"), "").ok());
  const auto mapped = MappedFile::Open(Path("empty"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_TRUE((*mapped)->bytes().empty());
}

TEST_F(FileTest, RefusesWhatIsNotARegularFile) {
  EXPECT_EQ(MappedFile::Open(Path("absent")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(dir_.path()).status().message(),
            dir_.path() + ": found a directory, expected a regular file");
  EXPECT_EQ(MappedFile::Open("/dev/null").status().message(),
            "/dev/null: found a special file, expected a regular file");
  // Nobody writes to this pipe: opening it must not wait.
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::Open(Path("pipe")).status().message(),
            Path("pipe") + ": found a special file, expected a regular file");
  EXPECT_FALSE(ReadFile(Path("pipe")).ok());
}

TEST_F(FileTest, ReadFileHasALimit) {
  ASSERT_TRUE(WriteFile(Path("a"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("a"), 5).ok());
  EXPECT_EQ(ReadFile(Path("a"), 4).status().message(),
            Path("a") + ": found 5 bytes, expected at most 4 bytes");
}

TEST_F(FileTest, WithoutCommitNothingChanges) {
  ASSERT_TRUE(WriteFile(Path("a"), "old").ok());
  {
    auto file = AtomicFile::Create(Path("a"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Append("new").ok());
    EXPECT_EQ(*ReadFile(Path("a")), "old");
  }
  EXPECT_EQ(*ReadFile(Path("a")), "old");
  EXPECT_EQ(FilesLeft(), 1u);
}

TEST_F(FileTest, CommitReplacesAndOldMappingsKeepTheirBytes) {
  ASSERT_TRUE(WriteFile(Path("a"), "old").ok());
  const auto mapped = MappedFile::Open(Path("a"));
  ASSERT_TRUE(mapped.ok());
  ASSERT_TRUE(WriteFile(Path("a"), "newer").ok());
  EXPECT_EQ(*ReadFile(Path("a")), "newer");
  EXPECT_EQ(static_cast<char>((*mapped)->bytes()[0]), 'o');
  EXPECT_EQ(FilesLeft(), 1u);
}

TEST_F(FileTest, WriteErrorsNameTheFile) {
  const Status status = WriteFile(Path("no/such/place"), "x");
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find(Path("no/such/place")), std::string::npos);
}

}  // namespace
}  // namespace ringlet
