#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/files.hpp"
#include "make_pdf.hpp"
#include "make_zip.hpp"
#include "reading.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("readers_test_" + std::to_string(::getpid()));
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

/// A folder that the helper program is looked for in, with a script in its place.
struct FakeWorker : TemporaryFolder {
  explicit FakeWorker(const std::string& script) {
    const fs::path program = path / "hasten-reader";
    std::ofstream(program) << "#!/bin/sh\n" << script << '\n';
    fs::permissions(program, fs::perms::owner_all);
    ::setenv("HASTEN_DATA", path.c_str(), 1);
  }
  ~FakeWorker() { ::unsetenv("HASTEN_DATA"); }
};

std::string outcome(const FileReader& reader, const fs::path& name, std::string_view bytes) {
  try {
    return reader.read(name, bytes).text;
  } catch (const Error& error) {
    return "error: " + std::string(to_string(error.code()));
  }
}

std::string message_of(const FileReader& reader, const fs::path& name, std::string_view bytes) {
  try {
    return reader.read(name, bytes).text;
  } catch (const Error& error) {
    return error.what();
  }
}

/// The children of this process.
std::vector<pid_t> children() {
  std::vector<pid_t> ids;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t id = 0; file >> id;) ids.push_back(id);
  }
  return ids;
}

struct NameCase {
  const char* name;
  std::string head;
  const char* format;  // null: none
};

const NameCase kNames[] = {
    {"a.txt", "", "txt"},
    {"a.MD", "", "md"},
    {"a.b.html", "", "html"},
    {"a.htm", "", "html"},
    {"a.PDF", "", "pdf"},
    {"a.docx", "", "docx"},
    {"a.tsv", "", "csv"},
    {"a.ndjson", "", "jsonl"},
    {"a.xlsx", "PK\x03\x04", nullptr},
    {"a.xyz", "text", nullptr},
    {"README", "text", "txt"},
    {"page", "<!DOCTYPE HTML>", "html"},
    {"file", "%PDF-1.7", "pdf"},
    {"file",
     std::string("\x7f"
                 "ELF\0\xff",
                 6),
     nullptr},
    {"file", "PK\x03\x04....word/", "docx"},
    {"file", "PK\x03\x04....xl/", nullptr},
    {"cut", "text in \xE4\xB8", "txt"},
};

TEST(FormatOf, NamesAndFirstBytes) {
  for (const auto& [name, head, expected] : kNames) {
    const Format* format = format_of(name, head);
    EXPECT_EQ(format == nullptr ? "none" : format->name, expected == nullptr ? "none" : expected) << name;
  }
}

TEST(FileReader, FilesAreReadAndFailuresNamed) {
  const TemporaryFolder folder;
  const FileReader reader{{}};
  write_file_atomically(folder.path / "a.txt", "text");
  write_file_atomically(folder.path / "b.html", "<p>text");
  write_file_atomically(folder.path / "c.xyz", "text");
  EXPECT_EQ(reader.read(folder.path / "a.txt").text, "text");
  EXPECT_EQ(reader.read(folder.path / "b.html").format, "html");
  const std::pair<const char*, Code> failures[] = {
      {"c.xyz", Code::unsupported}, {"none.txt", Code::not_found}, {".", Code::io}};
  for (const auto& [name, code] : failures) {
    try {
      reader.read(folder.path / name);
      ADD_FAILURE() << name << " was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
    }
  }
  EXPECT_NE(message_of(reader, "a.xyz", "").find("known: txt, md, html"), std::string::npos);
  EXPECT_EQ(message_of(reader, "dir/a.json", "{").substr(0, 11), "dir/a.json:");
}

TEST(FileReader, WhatIsReadInAWorkerIsWhatIsReadHere) {
  const FileReader reader{{}};
  const std::string pdf = make_pdf({page_lines({"one"}), page_lines({"two"})}, "/Title(T)");
  for (int i = 0; i < 3; ++i) {
    const Extracted there = reader.read("a.pdf", pdf), here = read_as("pdf", pdf);
    EXPECT_EQ(there.text, here.text);
    EXPECT_EQ(there.metadata, here.metadata);
    EXPECT_EQ(there.pages, here.pages);
    EXPECT_EQ(there.format, here.format);
  }
}

TEST(FileReader, AWorkerIsKeptAndReplacedWhenItDies) {
  const FileReader reader{{}};
  EXPECT_EQ(outcome(reader, "a.html", "<p>a"), "a");
  const std::vector<pid_t> first = children();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(outcome(reader, "a.docx", "broken"), "error: corrupt");
  EXPECT_EQ(outcome(reader, "a.html", "<p>b"), "b");
  EXPECT_EQ(children(), first);
  ::kill(first[0], SIGKILL);
  while (::kill(first[0], 0) == 0 && children() == first) {
    std::ifstream stat("/proc/" + std::to_string(first[0]) + "/stat");
    std::string word, state;
    stat >> word >> word >> state;
    if (state == "Z") break;
  }
  EXPECT_EQ(outcome(reader, "a.html", "<p>c"), "c");
  EXPECT_NE(children(), first);
}

TEST(FileReader, ItsWorkersEndWithIt) {
  { EXPECT_EQ(outcome(FileReader{{}}, "a.html", "<p>a"), "a"); }
  EXPECT_TRUE(children().empty());
}

TEST(FileReader, ManyThreadsReadAtOnce) {
  const FileReader reader{{}};
  std::vector<std::thread> threads;
  std::vector<std::string> texts(8);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k) texts[i] += outcome(reader, "a.html", "<p>" + std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i], std::string(20, static_cast<char>('0' + i)));
  }
  EXPECT_LE(children().size(), texts.size());
}

TEST(FileReader, TheThreadThatStartedAWorkerMayEnd) {
  const FileReader reader{{}};
  std::thread([&] { EXPECT_EQ(outcome(reader, "a.html", "<p>a"), "a"); }).join();
  const std::vector<pid_t> first = children();
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(outcome(reader, "a.html", "<p>b"), "b");
  EXPECT_EQ(children(), first);
}

TEST(FileReader, SlowIsTimeoutAndTheNextFileIsRead) {
  ReadLimits limits;
  limits.seconds_max = 0.3;
  const FakeWorker fake("exec sleep 100");
  const FileReader reader(limits);
  EXPECT_EQ(outcome(reader, "a.html", std::string(1 << 20, 'x')), "error: timeout");
  EXPECT_TRUE(children().empty());
  ::unsetenv("HASTEN_DATA");
  limits.seconds_max = 30;
  EXPECT_EQ(outcome(FileReader(limits), "a.html", "<p>a"), "a");
}

TEST(FileReader, ACrashIsCorruptAndTheSignalNamed) {
  const FakeWorker fake("head -c 40 > /dev/null; kill -SEGV $$");
  EXPECT_EQ(outcome(FileReader{{}}, "a.pdf", "%PDF"), "error: corrupt");
  EXPECT_NE(message_of(FileReader{{}}, "a.pdf", "%PDF").find("signal 11, Segmentation fault"),
            std::string::npos);
}

TEST(FileReader, AWorkerThatLiesIsAnError) {
  for (const char* script : {"exit 3", "exec cat", "exec head -c 10 /dev/zero", "exec yes"}) {
    ReadLimits limits;
    limits.seconds_max = 0.5;
    const FakeWorker fake(script);
    EXPECT_EQ(outcome(FileReader(limits), "a.html", "<p>a").substr(0, 6), "error:") << script;
  }
}

TEST(FileReader, MemoryBeyondTheLimitIsTooLarge) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ReadLimits limits;
  limits.memory_bytes_max = 64 << 20;
  std::string body;
  for (int i = 0; i < 1'500'000; ++i) body += "<a/>";
  const std::string bytes = make_zip({{"word/document.xml", "<d><body>" + body + "</body></d>"}});
  const FileReader reader(limits);
  EXPECT_EQ(outcome(reader, "a.docx", bytes), "error: too_large");
  EXPECT_EQ(outcome(reader, "a.html", "<p>a"), "a");
#endif
  ReadLimits small;
  small.file_bytes_max = 3;
  EXPECT_EQ(outcome(FileReader(small), "a.txt", "text"), "error: too_large");
}

}  // namespace
}  // namespace hasten
