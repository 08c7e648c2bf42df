#include "cli/quantize_report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"

namespace ringlet::cli {
namespace {

// "model.layers.12.mlp" -> "model.layers.*.mlp".
std::string Kind(const std::string& name) {
  std::string kind;
  size_t at = 0;
  while (at <= name.size()) {
    const size_t dot = std::min(name.find('.', at), name.size());
    const std::string part = name.substr(at, dot - at);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    kind += number ? "*" : part;
    if (dot < name.size()) kind += '.';
    at = dot + 1;
  }
  return kind;
}

struct Line {
  std::string name;
  std::string type;
  int64_t tensors = 0;
  double worst = 0;
  TensorReport sum;
};

void Add(const TensorReport& tensor, Line& line) {
  ++line.tensors;
  line.worst = std::max(line.worst, tensor.RelativeError());
  line.sum.elements += tensor.elements;
  line.sum.bytes += tensor.bytes;
  line.sum.squared_error += tensor.squared_error;
  line.sum.squared_norm += tensor.squared_norm;
}

std::vector<Line> Lines(const QuantizeReport& report, bool all) {
  std::vector<Line> lines;
  std::map<std::pair<std::string, std::string>, size_t> index;
  for (const TensorReport& tensor : report.tensors) {
    const std::string name = all ? tensor.name : Kind(tensor.name);
    const auto [found, added] = index.emplace(std::pair(name, tensor.type), lines.size());
    if (added) lines.push_back({.name = name, .type = tensor.type, .sum = {}});
    Add(tensor, lines[found->second]);
  }
  return lines;
}

std::string Percent(double fraction) {
  return fraction == 0 ? "" : fmt::format("{:.3f}%", 100 * fraction);
}

}  // namespace

std::string QuantizeTable(const QuantizeReport& report, bool all) {
  std::vector<Line> lines = Lines(report, all);
  Line total{.name = "total", .type = "", .sum = {}};
  size_t width = 6;
  for (const TensorReport& tensor : report.tensors) Add(tensor, total);
  for (const Line& line : lines) width = std::max(width, line.name.size());
  std::string out = fmt::format("{:<{}}  {:>7}  {:>5}  {:>9}  {:>9}  {:>6}  {:>10}\n", "tensor",
                                width, "number", "type", "error", "largest", "bits", "size");
  lines.push_back(total);
  for (const Line& line : lines) {
    out +=
        fmt::format("{:<{}}  {:>7}  {:>5}  {:>9}  {:>9}  {:>6.2f}  {:>10}\n", line.name, width,
                    FormatCount(static_cast<uint64_t>(line.tensors)), line.type,
                    Percent(line.sum.RelativeError()), line.tensors > 1 ? Percent(line.worst) : "",
                    line.sum.BitsPerWeight(), FormatBytes(line.sum.bytes));
  }
  return out;
}

OrderedJson QuantizeReportJson(const QuantizeReport& report) {
  OrderedJson tensors = OrderedJson::array();
  Line total;
  for (const TensorReport& tensor : report.tensors) {
    Add(tensor, total);
    OrderedJson item = {{"name", tensor.name},   {"source", tensor.source},
                        {"type", tensor.type},   {"elements", tensor.elements},
                        {"bytes", tensor.bytes}, {"bits_per_weight", tensor.BitsPerWeight()}};
    item["relative_error"] =
        tensor.squared_norm > 0 ? OrderedJson(tensor.RelativeError()) : OrderedJson();
    tensors.push_back(std::move(item));
  }
  return {{"tensors", std::move(tensors)},
          {"elements", total.sum.elements},
          {"source_bytes", report.source_bytes},
          {"bytes", report.bytes},
          {"bits_per_weight", total.sum.BitsPerWeight()},
          {"relative_error", total.sum.RelativeError()},
          {"shards", report.shards},
          {"resumed_shards", report.resumed_shards},
          {"damaged_shards", report.damaged_shards},
          {"skipped_files", report.skipped_files}};
}

}  // namespace ringlet::cli
