// Replacing files: what is there afterwards, above all after a failure.
#include <gradus/core/error.h>
#include <gradus/io/atomic_file.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

/// While it lives, no file of this process can grow beyond `bytes`: a full disk, in small.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("a new file appears with its content and nothing beside it") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a.json", "{}\n");
  CHECK(read_bytes(folder / "a.json") == "{}\n");
  CHECK(folder.entries() == 1);
}

TEST_CASE("an old file is replaced, shorter content included") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "a long old content");
  write_file_atomically(folder / "a", "new");
  CHECK(read_bytes(folder / "a") == "new");
}

TEST_CASE("pieces arrive in order, zero bytes and empty pieces included") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", [](ByteSink& sink) {
    sink.write(std::string_view("1\0", 2));
    sink.write("");
    sink.write("2");
  });
  CHECK(read_bytes(folder / "a") == std::string("1\0002", 3));
}

TEST_CASE("a file in the current folder needs no folder in its name") {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_atomically("plain", "x");
  fs::current_path(before);
  CHECK(read_bytes(folder / "plain") == "x");
}

TEST_CASE("permissions of the old file are kept") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  ::chmod((folder / "a").c_str(), 0640);
  write_file_atomically(folder / "a", "new");
  CHECK(fs::status(folder / "a").permissions() == fs::perms(0640));
}

TEST_CASE("a symbolic link stays, and the file it names is replaced") {
  const TemporaryFolder folder;
  write_bytes(folder / "real", "old");
  fs::create_symlink("real", folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_bytes(folder / "real") == "new");
}

TEST_CASE("a symbolic link to nothing yet stays, and what it names is made") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "inner");
  fs::create_symlink("second", folder / "first");
  fs::create_symlink("inner/real", folder / "second");
  write_file_atomically(folder / "first", "new");
  CHECK(fs::is_symlink(folder / "first"));
  CHECK(fs::is_symlink(folder / "second"));
  CHECK(read_bytes(folder / "inner" / "real") == "new");

  fs::create_symlink("circle", folder / "circle");
  const std::string message =
      message_of<IoError>([&] { write_file_atomically(folder / "circle", "new"); });
  CHECK(contains(message, (folder / "circle").string()));
  CHECK(contains(message, "Too many levels of symbolic links"));
}

TEST_CASE("a name may be as long as the system allows") {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  for (const char* content : {"old", "new"}) write_file_atomically(folder / name, content);
  CHECK(read_bytes(folder / name) == "new");
  CHECK(folder.entries() == 1);
}

TEST_CASE("what a killed process leaves is gone after the next write") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  for (int killed = 0; killed < 2; ++killed) {
    const pid_t child = ::fork();
    if (child == 0) {
      write_file_atomically(folder / "a", [](ByteSink& sink) {
        sink.write("half");
        ::_exit(1);  // as by a signal: nothing is tidied up
      });
    }
    REQUIRE(child > 0);
    ::waitpid(child, nullptr, 0);
    CHECK(read_bytes(folder / "a") == "old");
    CHECK(folder.entries() == 2);  // and the second one has removed that of the first
  }
  write_file_atomically(folder / "a", "new");
  CHECK(read_bytes(folder / "a") == "new");
  CHECK(folder.entries() == 1);
}

TEST_CASE("several write the same file: the content is always that of one of them") {
  const TemporaryFolder folder;
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c'}) {
    writers.emplace_back([&folder, letter] {
      for (int i = 0; i < 100; ++i) {
        write_file_atomically(folder / "file", [letter](ByteSink& sink) {
          for (int piece = 0; piece < 3; ++piece) sink.write(std::string(100, letter));
        });
      }
    });
  }
  int torn = 0;
  for (int i = 0; i < 1000; ++i) {
    if (!fs::exists(folder / "file")) continue;
    const std::string found = read_bytes(folder / "file");
    if (found != std::string(300, found.at(0))) ++torn;
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(torn == 0);
  CHECK(read_bytes(folder / "file").size() == 300);
  CHECK(folder.entries() == 1);
}

TEST_CASE("what stands where the temporary file goes is left alone unless it is a leftover") {
  const TemporaryFolder folder;
  const auto temporary = [&](const std::string& name) {
    return folder / ("." + name + ".0.gradus-tmp");
  };
  write_bytes(folder / "victim", "untouched");
  ::mkfifo(temporary("fifo").c_str(), 0600);  // to open one for reading would wait for a writer
  fs::create_directory(temporary("folder"));
  fs::create_symlink("victim", temporary("link"));
  write_bytes(temporary("locked"), "being written");
  const int locked = ::open(temporary("locked").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(locked, LOCK_EX) == 0);
  for (const char* name : {"fifo", "folder", "link", "locked"}) {
    CAPTURE(name);
    write_file_atomically(folder / name, "new");
    CHECK(read_bytes(folder / name) == "new");
    CHECK(fs::symlink_status(temporary(name)).type() != fs::file_type::not_found);
  }
  CHECK(read_bytes(folder / "victim") == "untouched");
  CHECK(read_bytes(temporary("locked")) == "being written");
  CHECK(folder.entries() == 9);

  // Who wrote it is gone, and so is one who wrote beside it.
  ::close(locked);
  write_bytes(folder / ".locked.1.gradus-tmp", "left");
  write_file_atomically(folder / "locked", "newer");
  CHECK(read_bytes(folder / "locked") == "newer");
  CHECK(folder.entries() == 8);
}

TEST_CASE("a writer may write the same file") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", [&](ByteSink& outer) {
    outer.write("outer");
    write_file_atomically(folder / "a", "inner");
    CHECK(read_bytes(folder / "a") == "inner");
  });
  CHECK(read_bytes(folder / "a") == "outer");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a temporary file that is gone is told, and nobody's file is put in place for it") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  const std::string message = message_of<IoError>([&] {
    write_file_atomically(folder / "a", [&](ByteSink& sink) {
      sink.write("new");
      fs::remove(folder / ".a.0.gradus-tmp");
      write_bytes(folder / ".a.0.gradus-tmp", "of another");
    });
  });
  CHECK(contains(message, "was removed meanwhile"));
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(read_bytes(folder / ".a.0.gradus-tmp") == "of another");
}

TEST_CASE("what the writer throws passes through and leaves the old file") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  CHECK_THROWS_AS(write_file_atomically(folder / "a",
                                        [](ByteSink& sink) {
                                          sink.write("half");
                                          throw std::logic_error("stop");
                                        }),
                  std::logic_error);
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a disk that fills up in the middle leaves the old file") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  const std::string big(100'000, 'x');
  std::string message;
  {
    const FileSizeLimit limit(65'536);
    message = message_of<IoError>([&] { write_file_atomically(folder / "a", big); });
  }
  CHECK(contains(message, (folder / "a").string()));
  CHECK(contains(message, "File too large"));
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a missing folder, a file in place of a folder, a folder and a device are refused") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "old");
  const auto message = [](const fs::path& path) {
    return message_of<IoError>([&] { write_file_atomically(path, "x"); });
  };
  CHECK(contains(message(folder / "gone" / "a"), "No such file or directory"));
  CHECK(contains(message(folder / "file" / "a"), "Not a directory"));
  CHECK(contains(message(folder.path()), "is not a regular file"));
  CHECK(contains(message("/dev/null"), "/dev/null: is not a regular file"));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(contains(message("/proc/gradus"), "/proc"));
  CHECK(read_bytes(folder / "file") == "old");
  CHECK(folder.entries() == 1);
}
