#include "server/page/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace ringlet {
namespace {

std::string_view TextOf(const PageFile& file) {
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

const PageFile* Find(std::string_view path) {
  const auto files = PageFiles();
  const auto it = std::ranges::find(files, path, &PageFile::path);
  return it == files.end() ? nullptr : &*it;
}

// The URLs that a file names, relative to itself.
std::vector<std::string> References(const PageFile& file) {
  static const std::map<std::string, std::regex> kPatterns = {
      {".html", std::regex(R"re((?:src|href)="([^"#]+)")re")},
      {".css", std::regex(R"re(url\(["']?([^"')]+))re")},
      {".js", std::regex(R"re((?:from|import) '(\.[^']+)')re")}};
  const std::filesystem::path path = file.path;
  std::vector<std::string> found;
  const auto pattern = kPatterns.find(path.extension());
  if (pattern == kPatterns.end()) return found;
  const std::string text(TextOf(file));
  for (std::sregex_iterator it(text.begin(), text.end(), pattern->second), end; it != end; ++it) {
    found.push_back((path.parent_path() / (*it)[1].str()).lexically_normal());
  }
  return found;
}

TEST(PageTest, IndexIsThere) {
  const PageFile* index = Find("/index.html");
  ASSERT_NE(index, nullptr);
  EXPECT_TRUE(TextOf(*index).starts_with("<!doctype html>"));
  EXPECT_TRUE(TextOf(*index).ends_with("</html>\n"));
}

TEST(PageTest, TypesFollowNames) {
  const std::map<std::string, std::string> types = {{".html", "text/html; charset=utf-8"},
                                                    {".css", "text/css; charset=utf-8"},
                                                    {".js", "text/javascript; charset=utf-8"},
                                                    {".txt", "text/plain; charset=utf-8"},
                                                    {".svg", "image/svg+xml"},
                                                    {".woff2", "font/woff2"}};
  std::set<std::string> seen;
  for (const PageFile& file : PageFiles()) {
    const std::string suffix = std::filesystem::path(file.path).extension();
    ASSERT_TRUE(types.contains(suffix)) << file.path;
    EXPECT_EQ(file.content_type, types.at(suffix)) << file.path;
    seen.insert(suffix);
  }
  EXPECT_EQ(seen.size(), types.size());
}

TEST(PageTest, PathsAreSortedAndTagsAreOfTheBytes) {
  std::map<std::string_view, std::string_view> bytes_of_tag;
  std::string_view last;
  for (const PageFile& file : PageFiles()) {
    EXPECT_LT(last, file.path);
    last = file.path;
    EXPECT_FALSE(file.bytes.empty()) << file.path;
    EXPECT_EQ(file.etag.size(), 34u);
    EXPECT_TRUE(file.etag.starts_with('"') && file.etag.ends_with('"')) << file.etag;
    const auto [it, added] = bytes_of_tag.emplace(file.etag, TextOf(file));
    EXPECT_TRUE(added || it->second == TextOf(file)) << file.path;
  }
}

// Nothing is missing and nothing is carried in vain: from index.html every file can be reached.
TEST(PageTest, EveryReferenceIsCarriedAndEveryFileIsReferenced) {
  std::set<std::string> reached = {"/index.html"};
  std::vector<std::string> open = {"/index.html"};
  while (!open.empty()) {
    const PageFile* file = Find(open.back());
    ASSERT_NE(file, nullptr) << open.back();
    open.pop_back();
    for (const std::string& path : References(*file)) {
      EXPECT_NE(Find(path), nullptr) << file->path << " names " << path;
      if (Find(path) != nullptr && reached.insert(path).second) open.push_back(path);
    }
  }
  for (const PageFile& file : PageFiles()) {
    EXPECT_TRUE(reached.contains(std::string(file.path))) << file.path;
  }
}

TEST(PageTest, NothingComesFromElsewhere) {
  const std::regex elsewhere(R"re((?:src|href)="(?:https?:)?//|url\(["']?(?:https?:)?//)re");
  size_t total = 0;
  for (const PageFile& file : PageFiles()) {
    total += file.bytes.size();
    if (file.path.find("/vendor/") != std::string_view::npos && !file.path.ends_with(".css")) {
      continue;
    }
    const std::string text(TextOf(file));
    EXPECT_FALSE(std::regex_search(text, elsewhere)) << file.path;
    EXPECT_EQ(text.find("sourceMappingURL"), std::string::npos) << file.path;
  }
  EXPECT_LT(total, 1'200'000u);
}

TEST(PageTest, PolicyAllowsNoInlineScript) {
  EXPECT_TRUE(PagePolicy().starts_with("default-src 'none'; script-src 'self';"));
  EXPECT_EQ(PagePolicy().find('\n'), std::string_view::npos);
  EXPECT_EQ(PagePolicy().find("unsafe-eval"), std::string_view::npos);
}

}  // namespace
}  // namespace ringlet
