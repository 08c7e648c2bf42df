#include "server/chat/tool_syntax.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/file.h"

namespace ringlet::server {
namespace {

TEST(ToolSyntaxTest, TemplatesTellTheirSyntax) {
  const std::string folder = std::string(RINGLET_SOURCE_DIR) + "/tests/data/chat_templates/whole/";
  const auto detect = [&](const std::string& name) {
    const auto source = ReadFile(folder + name + ".jinja");
    EXPECT_TRUE(source.ok()) << name;
    return source.ok() ? DetectToolSyntax(*source) : ToolSyntax::kNone;
  };
  EXPECT_EQ(
      DetectToolSyntax("as <tool_call>\n{\"name\": <name>, \"arguments\": <object>}\n</tool_call>"),
      ToolSyntax::kHermes);
  EXPECT_EQ(detect("ling"), ToolSyntax::kHermes);
  EXPECT_EQ(detect("mistral"), ToolSyntax::kMistral);
  EXPECT_EQ(detect("llama3_tools"), ToolSyntax::kLlama3);
  EXPECT_EQ(detect("chatml"), ToolSyntax::kNone);
  EXPECT_EQ(detect("gemma"), ToolSyntax::kNone);
  EXPECT_EQ(DetectToolSyntax("<tool_call>\n<function=example>\n<parameter=p>\nvalue"),
            ToolSyntax::kQwenCoder);
  // Other formats in the same tags.
  EXPECT_EQ(DetectToolSyntax("<tool_call>{name}<arg_key>{k}</arg_key> arguments"),
            ToolSyntax::kNone);
  EXPECT_EQ(DetectToolSyntax("[TOOL_CALLS]name[ARGS]{}"), ToolSyntax::kNone);
  EXPECT_EQ(DetectToolSyntax(""), ToolSyntax::kNone);
}

TEST(ToolSyntaxTest, TheTableIsWhole) {
  std::set<std::string_view> names;
  for (const ToolSyntaxSpec& spec : ToolSyntaxes()) {
    EXPECT_EQ(&SpecOf(spec.syntax), &spec);
    EXPECT_TRUE(names.insert(spec.name).second);
    EXPECT_FALSE(spec.begin[0].empty());
  }
  EXPECT_EQ(names.size(), 4u);
}

}  // namespace
}  // namespace ringlet::server
