// Replacing files: what is there afterwards, above all after a failure.
#include <gradus/core/error.h>
#include <gradus/io/atomic_file.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <stdexcept>
#include <string>

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
