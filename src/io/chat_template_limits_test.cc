// Templates that try to take time, memory or stack without end: each must fail, by name of the
// limit, in less than a second and on a small stack.
#include <gtest/gtest.h>
#include <pthread.h>

#include <ctime>
#include <functional>

#include "base/sanitizer.h"
#include "io/chat_template.h"

namespace ringlet {
namespace {

// Sanitizers and unoptimized code multiply the frames of a recursion and the time.
#ifdef NDEBUG
constexpr bool kOptimized = true;
#else
constexpr bool kOptimized = false;
#endif
constexpr bool kSlow = kSanitized || !kOptimized;
constexpr size_t kStackBytes = (kSlow ? 2048 : 256) << 10;
// The address sanitizer clears and poisons what the greedy ones allocate: that takes longest.
constexpr double kSeconds = kSlow ? 60 : 1;

void RunOnSmallStack(std::function<void()> work) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kStackBytes), 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &work), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

std::string Repeat(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

// Processor time of the calling thread: other work on the machine must not fail the tests.
double ThreadSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Status Attack(const std::string& source, const ChatInput& input = {}) {
  Status status;
  RunOnSmallStack([&] {
    auto parsed = ChatTemplate::Parse(source, "attack");
    status = parsed.ok() ? (*parsed)->Render(input).status() : parsed.status();
    EXPECT_LT(ThreadSeconds(), kSeconds);
  });
  return status;
}

struct Case {
  const char* name;
  std::string source;
  const char* error;
  StatusCode code = StatusCode::kResource;
};

constexpr char kSteps[] = "longer than the limit of 1000000 steps";
constexpr char kMemory[] = "exceed the limit of 67108864 bytes of memory";
constexpr char kOutput[] = "the output exceeds the limit of 4194304 bytes";
constexpr char kNesting[] = "the template nests deeper than the limit of 64";
constexpr char kMacros[] = "a macro call nests deeper than the limit of 64";
constexpr char kPrinted[] = "a printed value nests deeper than the limit of 100";

void Expect(const std::vector<Case>& cases) {
  for (const Case& attack : cases) {
    SCOPED_TRACE(attack.name);
    const Status status = Attack(attack.source);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.code(), attack.code);
    EXPECT_NE(status.message().find(attack.error), std::string::npos) << status.message();
  }
}

TEST(ChatTemplateLimitsTest, Time) {
  Expect({
      {"range", "{% for x in range(1000000000) %}{% endfor %}",
       "a range of 1000000000 items exceeds the limit of 100000 items"},
      {"range_negative", "{{ range(0, -9223372036854775807, -1) }}", "limit of 100000 items"},
      {"nested_loops",
       "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}"
       "{% endfor %}{% endfor %}{% endfor %}",
       kSteps},
      {"endless_append", "{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}",
       kSteps},
      {"quiet_filter_loop",
       "{% for x in range(100000) if x < 0 and x %}{% endfor %}" +
           Repeat("{% for x in range(100000) if x < 0 %}{% endfor %}", 20),
       kSteps},
      {"sort_often",
       "{% for i in range(1000) %}{% set x = range(5000)|sort(reverse=true) %}"
       "{% endfor %}",
       kSteps},
      {"unique_quadratic", "{{ range(20000)|unique|list|length }}", kSteps},
      {"equality_of_shared",
       "{% set n = namespace(a=[], b=[]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
       "{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}",
       kSteps},
      {"search_again_and_again",
       "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% if 'b' in s %}{% endif %}"
       "{% endfor %}",
       kSteps},
      {"periodic_search",
       "{% set s = 'a' * 2000000 %}{% for i in range(100000) %}{% set x = s.find('aaab') %}"
       "{% set x = s.find('aaaaaaaaaaaaaaab') %}{% endfor %}",
       kSteps},
      {"quadratic_search",
       "{% set s = 'a' * 2000000 %}{% set t = 'a' * 1000000 ~ 'b' %}"
       "{% for i in range(100000) %}{% set x = s.find(t) + s.rfind(t) + s.count(t) %}{% endfor %}",
       kSteps},
      {"long_dict",
       "{% set d = dict() %}{% for i in range(100000) %}{% set _ = d.update({i: i}) %}{% endfor %}",
       kSteps},
      {"insert_front",
       "{% set l = [] %}{% for i in range(100000) %}{% set _ = l.insert(0, i) %}{% endfor %}",
       kSteps},
      {"huge_batch", "{{ [1]|batch(1000000000000, 'x')|list }}", kSteps},
      {"huge_slice", "{{ [1]|slice(1000000000000)|list }}", kMemory},
  });
}

TEST(ChatTemplateLimitsTest, Memory) {
  Expect({
      {"repeat", "{{ '-' * 10000000000 }}", kMemory},
      {"repeat_overflow", "{{ 'ab' * 9223372036854775807 }}", kMemory},
      {"repeat_list", "{{ [1] * 10000000000 }}", kMemory},
      {"string_doubling",
       "{% set n = namespace(s='ab') %}{% for i in range(100) %}{% set n.s = n.s ~ n.s %}"
       "{% endfor %}",
       kMemory},
      {"list_doubling",
       "{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = n.l + n.l %}"
       "{% endfor %}",
       kMemory},
      {"extend_self",
       "{% set l = [1] %}{% for i in range(100) %}{% set _ = l.extend(l) %}{% endfor %}", kMemory},
      {"huge_indent", "{{ 'a\nb'|indent(10000000000) }}", kMemory},
      {"huge_json_indent", "{{ [1]|tojson(indent=10000000000) }}", kMemory},
      {"huge_center", "{{ 'a'|center(10000000000) }}", kMemory},
      {"huge_justify", "{{ 'a'.ljust(9223372036854775807) }}", kMemory},
      {"huge_zfill", "{{ 'a'.zfill(10000000000) }}", kMemory},
      {"huge_percent_width", "{{ '%2000000000d' % 1 }}", kMemory},
      {"huge_percent_star", "{{ '%*d' % (2000000000, 1) }}", kMemory},
      {"huge_percent_precision", "{{ '%.2000000000f' % 1.5 }}", "precision too big",
       StatusCode::kInvalidInput},
      {"replace_growth", "{{ ('a' * 1000000).replace('a', 'b' * 1000) }}", kMemory},
      {"replace_empty", "{{ ('a' * 100000).replace('', 'b' * 10000) }}", kMemory},
      {"join_growth", "{{ range(100000)|join('x' * 10000) }}", kMemory},
      {"shared_json",
       "{% set n = namespace(a='x') %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
       "{% endfor %}{{ n.a|tojson }}",
       kSteps},
      {"shared_long_json",
       "{% set s = 'x' * 100000 %}{% set l = [s] * 10000 %}{% set x = l|tojson %}", kMemory},
      {"nested_captures",
       "{% macro m(d) %}{{ 'x' * 9000000 }}{% if d %}{{ m(d - 1) }}{% endif %}"
       "{% endmacro %}{% set x = m(30) %}",
       kMemory},
      {"split_everything", "{% set x = ('a ' * 1000000).split() %}", kSteps},
      {"list_of_characters", "{% set x = ('a' * 4000000)|list %}", kMemory},
      {"many_undefined",
       "{% set l = [] %}{% for i in range(100000) %}{% for j in range(9) %}"
       "{% set _ = l.append(missing_name_of_some_length) %}{% endfor %}{% endfor %}",
       kSteps},
      {"output", "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}", kOutput},
      {"output_at_once", "{{ 'x' * 5000000 }}", kOutput},
      {"output_of_text", "{% for i in range(100000) %}" + std::string(1000, 'x') + "{% endfor %}",
       kOutput},
      {"source", std::string((1 << 20) + 1, 'x'),
       "found a template of 1048577 bytes, expected at most 1048576"},
  });
}

TEST(ChatTemplateLimitsTest, Stack) {
  const std::string open_if = Repeat("{% if 1 %}", 10000) + Repeat("{% endif %}", 10000);
  const std::string open_for = Repeat("{% for x in [1] %}", 10000) + Repeat("{% endfor %}", 10000);
  Expect({
      {"parentheses", "{{ " + std::string(60000, '('),
       "found the end of the template, expected '}}'", StatusCode::kInvalidInput},
      {"closed_parentheses",
       "{{ " + std::string(60000, '(') + "1" + std::string(60000, ')') + " }}", kNesting},
      {"brackets", "{{ " + std::string(60000, '[') + std::string(60000, ']') + " }}", kNesting},
      {"braces", "{{ " + Repeat("{1:", 60000) + "1" + std::string(60000, '}') + " }}", kNesting},
      {"unary", "{{ " + Repeat("-", 60000) + "1 }}", kNesting},
      {"calls", "{{ " + Repeat("f(", 60000) + std::string(60000, ')') + " }}", kNesting},
      {"subscripts", "{{ " + Repeat("a[", 60000) + "1" + std::string(60000, ']') + " }}", kNesting},
      {"filters", "{{ 1" + Repeat("|d(1", 60000) + std::string(60000, ')') + " }}", kNesting},
      {"tests", "{{ 1" + Repeat(" is eq(1", 60000) + std::string(60000, ')') + " }}", kNesting},
      {"conditions", "{{ " + Repeat("1 if (", 60000) + "1" + std::string(60000, ')') + " }}",
       kNesting},
      {"every_level",
       "{{ " + Repeat("(a or b and not c < d + e ~ f * g ** -", 2000) + "1" +
           std::string(2000, ')') + " }}",
       kNesting},
      {"targets", "{% set " + std::string(60000, '(') + "a" + std::string(60000, ')') + " = 1 %}",
       kNesting},
      {"ifs", open_if, kNesting},
      {"fors", open_for, kNesting},
      {"macro_recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", kMacros},
      {"mutual_recursion",
       "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
       kMacros},
      {"default_recursion", "{% macro m(a=m()) %}{% endmacro %}{{ m() }}", kMacros},
      {"caller_recursion",
       "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}", kMacros},
      {"deep_evaluation",
       "{% macro m() %}" + Repeat("{% if 1 %}", 50) + "{{ [[[[m()]]]] }}" +
           Repeat("{% endif %}", 50) + "{% endmacro %}{{ m() }}",
       "the running template nests deeper than the limit of 320"},
      {"print_nested",
       "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}"
       "{{ n.l }}",
       kPrinted},
      {"json_nested",
       "{% set n = namespace(l=[]) %}{% for i in range(50000) %}{% set n.l = {'a': [n.l]} %}"
       "{% endfor %}{{ n.l|tojson }}",
       kPrinted},
      {"cycle", "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", kPrinted},
      {"cycle_of_dicts", "{% set d = {} %}{% set _ = d.update(a=d) %}{{ d|tojson }}", kPrinted},
      {"compare_cycles",
       "{% set a = [] %}{% set _ = a.append(a) %}{% set b = [] %}{% set _ = b.append(b) %}"
       "{{ a == b }}",
       "compared values nest deeper than the limit of 100"},
      {"order_cycles",
       "{% set a = [] %}{% set _ = a.append(a) %}{% set b = [] %}{% set _ = b.append(b) %}"
       "{{ a < b }}",
       "compared values nest deeper than the limit of 100"},
  });
}

TEST(ChatTemplateLimitsTest, LongChainsAreNotDeep) {
  for (const std::string& source :
       {"{{ 1" + Repeat(" + 1", 20000) + " }}", "{{ 'a'" + Repeat(" ~ 'a'", 20000) + " }}",
        "{{ 1" + Repeat(" and 1", 20000) + " }}", "{{ 1" + Repeat(" == 1", 20000) + " }}",
        "{{ 1" + Repeat("|string", 20000) + " }}", "{{ 'a'" + Repeat("[0]", 20000) + " }}",
        "{{ 1 if 1 " + Repeat("else 1 if 1 ", 10000) + " }}",
        "{% if 0 %}" + Repeat("{% elif 0 %}", 20000) + "{% endif %}",
        "{{ " + Repeat("not ", 20000) + "1 }}", "{{ [" + Repeat("1,", 20000) + "]|length }}"}) {
    const Status status = Attack(source);
    EXPECT_TRUE(status.ok()) << source.substr(0, 40) << ": " << status.message();
  }
}

TEST(ChatTemplateLimitsTest, AtTheLimit) {
  const auto nested = [](size_t depth) {
    return "{{ " + std::string(depth, '(') + "1" + std::string(depth, ')') + " }}";
  };
  // One level is the template's body, one the expression inside the innermost parentheses.
  EXPECT_TRUE(Attack(nested(62)).ok());
  EXPECT_FALSE(Attack(nested(63)).ok());
  EXPECT_TRUE(Attack("{{ range(100000)|length }}").ok());
  EXPECT_FALSE(Attack("{{ range(100001)|length }}").ok());
  EXPECT_TRUE(Attack("{{ 'x' * 4194304 }}").ok());
  EXPECT_FALSE(Attack("{{ 'x' * 4194305 }}").ok());
  const std::string recursion =
      "{% macro m(n) %}{% if n > 1 %}{{ m(n - 1) }}{% endif %}{% endmacro %}";
  EXPECT_TRUE(Attack(recursion + "{{ m(64) }}").ok());
  EXPECT_FALSE(Attack(recursion + "{{ m(65) }}").ok());
}

TEST(ChatTemplateLimitsTest, Input) {
  ChatInput input;
  OrderedJson deep;
  for (int i = 0; i < 1000; ++i) deep = OrderedJson::array({std::move(deep)});
  input.messages = std::move(deep);
  const Status status = Attack("{{ messages|length }}", input);
  EXPECT_EQ(status.code(), StatusCode::kResource);
  EXPECT_NE(status.message().find("input nests deeper than the limit of 100"), std::string::npos);
  input.messages = OrderedJson::array({std::string(size_t{80} << 20, 'x')});
  EXPECT_EQ(Attack("{{ messages|length }}", input).code(), StatusCode::kResource);
  EXPECT_TRUE(Attack("no messages read", input).ok());
}

TEST(ChatTemplateLimitsTest, LimitsAreTheCallers) {
  TemplateLimits limits;
  limits.max_steps = 100;
  const auto parsed =
      ChatTemplate::Parse("{% for i in range(99) %}{{ i }}{% endfor %}", "t", limits);
  EXPECT_EQ((*parsed)->Render({}).status().message(),
            "t:1: the template runs longer than the limit of 100 steps");
}

// A conversation of a million characters in two thousand turns is ordinary work.
TEST(ChatTemplateLimitsTest, LongConversation) {
  ChatInput input;
  for (int i = 0; i < 1000; ++i) {
    input.messages.push_back({{"role", "user"}, {"content", std::string(500, 'q')}});
    input.messages.push_back(
        {{"role", "assistant"}, {"content", "<think>\nx\n</think>\n\n" + std::string(500, 'a')}});
  }
  const std::string source =
      "{% for m in messages %}{% set c = m.content %}{% if m.role == 'assistant' and '</think>' in "
      "c %}"
      "{% set c = c.split('</think>')[-1].lstrip('\n') %}{% endif %}"
      "{{ '<|' + m.role + '|>' + c + '<|end|>' }}{% endfor %}";
  const Status status = Attack(source, input);
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace ringlet
