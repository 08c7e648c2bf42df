#include "train/log/run_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/file.h"

namespace ringlet {
namespace {

StepRecord Step(int64_t step) {
  StepRecord record;
  record.step = step;
  record.tokens = 1000 * step;
  record.loss = 10.0 / static_cast<double>(step + 1);
  record.lr = 1.0 / 3.0;
  record.load_cv = {0.5, 0.25};
  record.load_max = {2, 1.5};
  return record;
}

class RunLogTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }

  void Write(int64_t resume, int64_t first, int64_t last) {
    Result<RunLog> log = RunLog::Open(path_, resume);
    ASSERT_TRUE(log.ok()) << log.status().message();
    for (int64_t step = first; step <= last; ++step) ASSERT_TRUE(log->Append(Step(step)).ok());
    ASSERT_TRUE(log->Sync().ok());
  }
  std::vector<int64_t> Steps() {
    const Result<RunHistory> history = ReadRunLog(path_);
    EXPECT_TRUE(history.ok()) << history.status().message();
    std::vector<int64_t> steps;
    for (const StepRecord& step : history.value().steps) steps.push_back(step.step);
    return steps;
  }

  std::string path_ = ::testing::TempDir() + "/ringlet_run_log_test_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(RunLogTest, RecordsReadBackExactly) {
  StepRecord step = Step(7);
  step.loss = std::numeric_limits<double>::quiet_NaN();
  step.grad_norm = -std::numeric_limits<double>::infinity();
  step.skipped = "not finite";
  step.heldout_loss = 0.1;
  step.mtp_loss = 0.2;
  step.memory_bytes = 1ULL << 40;
  const Result<LogRecord> read = ParseLogLine(LogLine(step), "log");
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto& got = std::get<StepRecord>(read.value());
  EXPECT_TRUE(std::isnan(got.loss));
  EXPECT_EQ(got.grad_norm, step.grad_norm);
  EXPECT_EQ(got.lr, step.lr);
  EXPECT_EQ(got.skipped, step.skipped);
  EXPECT_EQ(got.heldout_loss, step.heldout_loss);
  EXPECT_EQ(got.mtp_loss, step.mtp_loss);
  EXPECT_EQ(got.memory_bytes, step.memory_bytes);
  EXPECT_EQ(got.load_cv, step.load_cv);

  StartRecord start;
  start.name = "a \"name\"\nof two lines";
  start.parameters = 12345;
  const std::string line = LogLine(start);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(std::get<StartRecord>(ParseLogLine(line, "log").value()).name, start.name);
}

TEST_F(RunLogTest, ResumingCutsLaterStepsAndTornLines) {
  Write(0, 1, 10);
  Write(6, 7, 8);
  EXPECT_EQ(Steps(), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  const std::string whole = ReadFile(path_).value();
  // Torn at every byte of the last line.
  const size_t begin = whole.rfind('\n', whole.size() - 2) + 1;
  for (size_t size = begin; size < whole.size(); ++size) {
    std::ofstream(path_, std::ios::trunc) << whole.substr(0, size);
    ASSERT_EQ(Steps().back(), 7) << size;
    Write(7, 8, 8);
    ASSERT_EQ(ReadFile(path_).value(), whole) << size;
  }
  Write(0, 1, 1);
  EXPECT_EQ(Steps(), (std::vector<int64_t>{1}));
}

TEST_F(RunLogTest, BadLinesAreNamed) {
  for (const char* line :
       {"nonsense", "3", "{}", R"({"kind":"step","step":-1})",
        R"({"kind":"step","step":1,"loss":"x"})", R"({"kind":"step","step":1,"load_cv":[null]})"}) {
    std::ofstream(path_, std::ios::trunc) << LogLine(Step(1)) << "\n" << line << "\n";
    const Result<RunHistory> history = ReadRunLog(path_);
    ASSERT_FALSE(history.ok()) << line;
    EXPECT_TRUE(history.status().message().starts_with(path_ + ":2:"))
        << history.status().message();
    EXPECT_FALSE(RunLog::Open(path_, 5).ok());
  }
  std::ofstream(path_, std::ios::trunc) << LogLine(Step(2)) << "\n" << LogLine(Step(2)) << "\n";
  EXPECT_FALSE(ReadRunLog(path_).ok());
}

}  // namespace
}  // namespace ringlet
