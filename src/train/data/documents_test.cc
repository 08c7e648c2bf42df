#include "train/data/documents.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "io/test_files.h"

namespace ringlet {
namespace {

std::vector<SourceFile> Sources(const std::vector<std::string>& paths) {
  auto files = FindSources(paths);
  EXPECT_TRUE(files.ok()) << files.status().message();
  return files.ok() ? *files : std::vector<SourceFile>();
}

// Every text; errors as "error: message".
std::vector<std::string> ReadAll(const std::vector<std::string>& paths,
                                 const DocumentOptions& options = {}, uint64_t batch_bytes = 1) {
  DocumentReader reader(Sources(paths), options);
  std::vector<std::string> texts;
  DocumentBatch batch;
  for (;;) {
    const Status status = reader.Next(batch_bytes, batch);
    EXPECT_TRUE(status.ok()) << status.message();
    if (batch.documents.empty() || !status.ok()) break;
    for (const RawDocument& document : batch.documents) {
      std::string buffer;
      const auto text = reader.Text(document, buffer);
      texts.push_back(text.ok() ? std::string(*text) : "error: " + text.status().message());
    }
  }
  EXPECT_EQ(reader.bytes_done(), TotalBytes(reader.files()));
  return texts;
}

using Texts = std::vector<std::string>;

TEST(FindSources, DirectoriesInByteOrderWithoutHiddenFiles) {
  const TempDir dir;
  std::filesystem::create_directories(dir.path() + "/b/.git");
  std::filesystem::create_directories(dir.path() + "/a");
  dir.Write("b/2.txt", "2");
  dir.Write("b/.git/x", "hidden");
  dir.Write("b/.hidden", "hidden");
  dir.Write("a/9.jsonl", "");
  dir.Write("B.md", "B");
  std::vector<std::string> names;
  for (const SourceFile& file : Sources({dir.path()})) {
    names.push_back(file.path.substr(dir.path().size()));
    EXPECT_EQ(file.jsonl, names.back() == "/a/9.jsonl");
  }
  EXPECT_EQ(names, (Texts{"/B.md", "/a/9.jsonl", "/b/2.txt"}));
}

TEST(FindSources, NamesWhatIsMissing) {
  const TempDir dir;
  const auto absent = FindSources(Texts{dir.path() + "/none"});
  EXPECT_EQ(absent.status().code(), StatusCode::kNotFound);
  EXPECT_NE(absent.status().message().find("/none"), std::string::npos);
  EXPECT_NE(FindSources(Texts{dir.path()}).status().message().find("without files"),
            std::string::npos);
  EXPECT_FALSE(FindSources({}).ok());
}

TEST(DocumentReader, TextFilesAreDocuments) {
  const TempDir dir;
  const std::string one = dir.Write("1.txt", "\xef\xbb\xbfone\n");
  const std::string empty = dir.Write("2.txt", "");
  const std::string two = dir.Write("3.txt", "two\r\n\n");
  EXPECT_EQ(ReadAll({one, empty, two}), (Texts{"one\n", "two\r\n\n"}));
  EXPECT_EQ(ReadAll({one, empty, two}, {}, 1000), (Texts{"one\n", "two\r\n\n"}));
}

TEST(DocumentReader, SeparatorLines) {
  const TempDir dir;
  const std::string path = dir.Write("a.txt", "%\na\n%%\n%\r\nb %\nc\n%\n%\nd\n%");
  DocumentOptions options;
  options.separator = "%";
  EXPECT_EQ(ReadAll({path}, options), (Texts{"", "a\n%%\n", "b %\nc\n", "", "d\n"}));
}

TEST(DocumentReader, JsonLinesNameFileAndLine) {
  const TempDir dir;
  const std::string path = dir.Write("a.jsonl",
                                     "{\"text\": \"one\\n\\u00e9\", \"id\": 1}\n\n  \r\n{\"text\": "
                                     "3}\n[]\n{\"id\": 1}\n{\"text\"\n"
                                     "{\"text\": \"last\"}");
  const Texts texts = ReadAll({path});
  ASSERT_EQ(texts.size(), 6u);
  EXPECT_EQ(texts[0], "one\n\xc3\xa9");
  EXPECT_EQ(texts[1], "error: " + path + ":4: \"text\": found an integer, expected a string");
  EXPECT_EQ(texts[2], "error: " + path + ":5: found an array, expected an object");
  EXPECT_EQ(texts[3],
            "error: " + path + ":6: \"text\": found no such field, expected the document's text");
  EXPECT_EQ(texts[4].find("error: " + path + ":7: found bad JSON"), 0u) << texts[4];
  EXPECT_EQ(texts[5], "last");
  DocumentOptions options;
  options.field = "id";
  EXPECT_NE(ReadAll({path}, options)[0].find("\"id\": found an integer"), std::string::npos);
}

TEST(DocumentReader, BinaryFilesAreRefused) {
  const TempDir dir;
  const std::string path = dir.Write("a.txt", std::string("ab\0c", 4));
  EXPECT_EQ(ReadAll({path}),
            (Texts{"error: " + path + ": byte 2: found a NUL byte, expected text"}));
}

TEST(DocumentReader, SeekBeginsAtTheFile) {
  const TempDir dir;
  DocumentReader reader(Sources({dir.Write("1", "one"), dir.Write("2", "two")}), {});
  reader.Seek({1, 2});
  DocumentBatch batch;
  ASSERT_TRUE(reader.Next(100, batch).ok());
  ASSERT_EQ(batch.documents.size(), 1u);
  EXPECT_EQ(batch.documents[0].bytes, "two");
  EXPECT_EQ(batch.documents[0].position, (DocumentPosition{1, 0}));
}

}  // namespace
}  // namespace ringlet
