#include "io/jinja/functions.h"

#include <ctime>

#include "io/jinja/binding.h"
#include "io/jinja/error.h"
#include "io/jinja/format.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {
namespace {

struct Function {
  std::string_view name;
  Signature signature;
  Value (*call)(Runtime& runtime, const BoundArguments& arguments);
};

__extension__ using Wide = __int128;  // holds any difference of two int64_t

// Items of range(start, stop, step).
uint64_t RangeLength(int64_t start, int64_t stop, int64_t step) {
  const auto first = static_cast<Wide>(start);
  const auto last = static_cast<Wide>(stop);
  const auto stride = static_cast<Wide>(step);
  const Wide distance = stride > 0 ? last - first : first - last;
  if (distance <= 0) return 0;
  return static_cast<uint64_t>((distance - 1) / (stride > 0 ? stride : -stride) + 1);
}

Value Range(Runtime& runtime, const BoundArguments& arguments) {
  const bool only_stop = !arguments.Has(1);
  const int64_t start = only_stop ? 0 : arguments.Integer(0, 0);
  const int64_t stop = arguments.Integer(only_stop ? 0 : 1, 0);
  const int64_t step = arguments.Integer(2, 1);
  if (step == 0) Fail("range() arg 3 must not be zero");
  const uint64_t length = RangeLength(start, stop, step);
  if (length > runtime.limits().max_range) {
    FailLimit("a range of {} items exceeds the limit of {} items", length,
              runtime.limits().max_range);
  }
  std::vector<Value> items;
  items.reserve(length);
  int64_t item = start;
  for (uint64_t i = 0; i < length; ++i) {
    items.push_back(Value::Int(item));
    if (i + 1 < length) item += step;
  }
  const Value range = runtime.NewList(ListType::kRange, std::move(items));
  range.list().range_start = start;
  range.list().range_stop = stop;
  range.list().range_step = step;
  return range;
}

Value MakeDict(Runtime& runtime, const BoundArguments& arguments) {
  const Value dict = runtime.NewDict();
  UpdateDict(runtime, dict.dict(), arguments.all());
  return dict;
}

Value MakeNamespace(Runtime& runtime, const BoundArguments& arguments) {
  Dict* dict = runtime.New<Dict>();
  UpdateDict(runtime, *dict, arguments.all());
  return Value::Of(Kind::kNamespace, dict);
}

Value MakeCycler(Runtime& runtime, const BoundArguments& arguments) {
  if (arguments.all().positional.empty()) Fail("at least one item has to be provided");
  runtime.Charge(arguments.all().positional.size() * sizeof(Value));
  auto* cycler = runtime.New<Cycler>();
  cycler->items = arguments.all().positional;
  return Value::Of(Kind::kCycler, cycler);
}

Value MakeJoiner(Runtime& runtime, const BoundArguments& arguments) {
  auto* joiner = runtime.New<Joiner>();
  joiner->separator = arguments.Has(0) ? *arguments.Get(0) : runtime.String(", ");
  return Value::Of(Kind::kJoiner, joiner);
}

Value RaiseException(Runtime& runtime, const BoundArguments& arguments) {
  const Value message = Str(runtime, *arguments.Get(0));
  Fail("{}", message.text());
}

// One directive at a time: the C library's padding widths ("%999999d") never reach it.
Value FormatTime(Runtime& runtime, const BoundArguments& arguments) {
  std::tm now = {};
  if (runtime.now()) {
    now = *runtime.now();
  } else {
    const std::time_t clock = std::time(nullptr);
    localtime_r(&clock, &now);
  }
  const std::string_view format = arguments.Text(0, "");
  TextBuilder out(runtime);
  for (size_t pos = 0; pos < format.size();) {
    const size_t percent = std::min(format.find('%', pos), format.size());
    out.Append(format.substr(pos, percent - pos));
    pos = percent;
    if (pos == format.size()) break;
    std::string directive = "%";
    if (++pos < format.size() && format[pos] == '-') directive += format[pos++];
    if (pos == format.size()) {
      out.Append(directive);
      break;
    }
    directive += format[pos++];
    char text[128] = {};
    runtime.Step();
    const size_t length = std::strftime(text, sizeof(text), directive.c_str(), &now);
    out.Append(std::string_view(text, length));
  }
  return out.Finish();
}

constexpr Function kFunctions[] = {
    {"range", {{"start", "stop", "step"}, 1}, Range},
    {"namespace", {{}, 0, true}, MakeNamespace},
    {"dict", {{}, 0, true}, MakeDict},
    {"cycler", {{}, 0, true}, MakeCycler},
    {"joiner", {{"sep"}, 0}, MakeJoiner},
    {"raise_exception", {{"message"}, 1}, RaiseException},
    {"strftime_now", {{"format"}, 1}, FormatTime},
};

}  // namespace

std::optional<Value> FindFunction(std::string_view name) {
  for (size_t i = 0; i < std::size(kFunctions); ++i) {
    if (kFunctions[i].name == name) return Value::Function(static_cast<int64_t>(i));
  }
  return std::nullopt;
}

Value CallFunction(Runtime& runtime, const Value& function, const Arguments& arguments) {
  const Function& callee = kFunctions[function.integer()];
  return callee.call(runtime, BoundArguments(callee.name, callee.signature, arguments));
}

}  // namespace ringlet::jinja
