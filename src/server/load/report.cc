#include "server/load/report.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/format.h"

namespace ringlet {
namespace {

constexpr size_t kMaxErrors = 20;

double Percentile(const std::vector<double>& sorted, int percent) {
  const size_t rank = (sorted.size() * static_cast<size_t>(percent) + 99) / 100;
  return sorted[std::max<size_t>(rank, 1) - 1];
}

std::string Row(std::string_view name, const Summary& summary) {
  return fmt::format("{:<20}{:>11.1f}{:>11.1f}{:>11.1f}{:>11.1f}{:>11.1f}\n", name,
                     summary.mean * 1e3, summary.p50 * 1e3, summary.p90 * 1e3, summary.p99 * 1e3,
                     summary.max * 1e3);
}

OrderedJson SummaryJson(const Summary& summary) {
  return {{"count", summary.count},   {"mean", summary.mean * 1e3}, {"p50", summary.p50 * 1e3},
          {"p90", summary.p90 * 1e3}, {"p99", summary.p99 * 1e3},   {"max", summary.max * 1e3}};
}

double Rate(int64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string Count(int64_t value) { return FormatCount(static_cast<uint64_t>(value)); }

}  // namespace

Summary Summarize(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {.count = std::ssize(values),
          .mean = sum / static_cast<double>(values.size()),
          .p50 = Percentile(values, 50),
          .p90 = Percentile(values, 90),
          .p99 = Percentile(values, 99),
          .max = values.back()};
}

LoadReport MakeReport(const LoadResult& result) {
  LoadReport report;
  report.model = result.model;
  report.seconds = result.seconds;
  std::vector<double> first, gaps, latency;
  for (const LoadSample& sample : result.samples) {
    if (sample.outcome == LoadSample::Outcome::kRefused) {
      ++report.refused;
    } else if (sample.outcome == LoadSample::Outcome::kFailed) {
      ++report.failed;
      if (report.errors.size() < kMaxErrors || report.errors.contains(sample.error)) {
        ++report.errors[sample.error];
      }
    } else {
      ++report.completed;
      report.prompt_tokens += sample.prompt_tokens;
      report.cached_tokens += sample.cached_tokens;
      report.answer_tokens += sample.answer_tokens;
      first.push_back(sample.first_token);
      latency.push_back(sample.latency);
      gaps.insert(gaps.end(), sample.gaps.begin(), sample.gaps.end());
    }
  }
  report.first_token = Summarize(std::move(first));
  report.between_tokens = Summarize(std::move(gaps));
  report.latency = Summarize(std::move(latency));
  return report;
}

std::string ReportText(const LoadReport& report) {
  std::string out = fmt::format("{}: {} completed, {} refused (429), {} failed in {}\n",
                                report.model, Count(report.completed), Count(report.refused),
                                Count(report.failed), FormatDuration(report.seconds));
  out += fmt::format("{:.2f} requests/s, {:.1f} output tokens/s, {:.1f} tokens/s in all\n",
                     Rate(report.completed, report.seconds),
                     Rate(report.answer_tokens, report.seconds),
                     Rate(report.prompt_tokens + report.answer_tokens, report.seconds));
  out += fmt::format("prompts of {} tokens, {} of them cached; answers of {} tokens\n\n",
                     Count(report.prompt_tokens), Count(report.cached_tokens),
                     Count(report.answer_tokens));
  out += fmt::format("{:<20}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "milliseconds", "mean", "p50", "p90",
                     "p99", "max");
  out += Row("first token", report.first_token) + Row("between tokens", report.between_tokens) +
         Row("whole answer", report.latency);
  if (!report.errors.empty()) out += "\n";
  for (const auto& [error, count] : report.errors) {
    out += fmt::format("failed {} times: {}\n", Count(count), error);
  }
  return out;
}

OrderedJson ReportJson(const LoadReport& report) {
  OrderedJson errors = OrderedJson::array();
  for (const auto& [error, count] : report.errors) {
    errors.push_back({{"error", error}, {"count", count}});
  }
  return {{"model", report.model},
          {"seconds", report.seconds},
          {"completed", report.completed},
          {"refused", report.refused},
          {"failed", report.failed},
          {"prompt_tokens", report.prompt_tokens},
          {"cached_tokens", report.cached_tokens},
          {"output_tokens", report.answer_tokens},
          {"requests_per_second", Rate(report.completed, report.seconds)},
          {"output_tokens_per_second", Rate(report.answer_tokens, report.seconds)},
          {"tokens_per_second", Rate(report.prompt_tokens + report.answer_tokens, report.seconds)},
          {"first_token_ms", SummaryJson(report.first_token)},
          {"between_tokens_ms", SummaryJson(report.between_tokens)},
          {"latency_ms", SummaryJson(report.latency)},
          {"errors", std::move(errors)}};
}

}  // namespace ringlet
