// A protocol buffer is a row of fields: the field's number and how it is written, in one byte for numbers up
// to 15, then a varint, 4 or 8 bytes as they are, or a length and so many bytes. That is all there is to it
// here, so that no library is needed.
#include "event_file.h"

#include <gradus/core/log.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace gradus::app {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie");

/// Of each byte, bits reversed as RFC 3720 has them on the wire: 0x1edc6f41 becomes 0x82f63b78.
constexpr std::array<std::uint32_t, 256> make_crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> crc32c_table = make_crc32c_table();

template <class T> std::string raw_bytes(T number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

/// A CRC of what holds CRCs itself would be weak: the format rotates it and adds a constant.
std::string masked_crc32c(std::string_view bytes) {
  return raw_bytes(std::rotr(crc32c(bytes), 15) + 0xa282ead8u);
}

std::string event_record(std::string_view data) {
  const std::string length = raw_bytes(static_cast<std::uint64_t>(data.size()));
  return length + masked_crc32c(length) + std::string(data) + masked_crc32c(data);
}

/// Seven bits a byte, the lowest first; the highest bit says that another byte follows.
std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>((number & 0x7f) | 0x80);
  return bytes + static_cast<char>(number);
}

enum class Wire : std::uint64_t { varint = 0, eight_bytes = 1, counted = 2, four_bytes = 5 };

std::string key_of(std::uint64_t field, Wire wire) {
  return varint(field << 3 | static_cast<std::uint64_t>(wire));
}
std::string field_of(std::uint64_t field, double number) {
  return key_of(field, Wire::eight_bytes) + raw_bytes(number);
}
std::string field_of(std::uint64_t field, float number) {
  return key_of(field, Wire::four_bytes) + raw_bytes(number);
}
std::string field_of(std::uint64_t field, std::int64_t number) {
  return key_of(field, Wire::varint) + varint(static_cast<std::uint64_t>(number));
}
std::string field_of(std::uint64_t field, std::string_view bytes) {
  return key_of(field, Wire::counted) + varint(bytes.size()) + std::string(bytes);
}

/// What all events begin with.
std::string event_at(double wall_time, std::int64_t step) {
  return field_of(1, wall_time) + field_of(2, step);
}

std::string version_event(double wall_time) {
  return event_at(wall_time, 0) + field_of(3, std::string_view("brain.Event:2"));
}

/// A SessionLog whose status is START: the training goes on at this step.
std::string start_event(double wall_time, std::int64_t step) {
  return event_at(wall_time, step) + field_of(7, field_of(1, std::int64_t{1}));
}

/// A Summary with one value.
std::string scalar_event(std::string_view tag, std::int64_t step, float value, double wall_time) {
  const std::string one = field_of(1, tag) + field_of(2, value);
  return event_at(wall_time, step) + field_of(5, field_of(1, one));
}

/// Of letters, digits, points and dashes, whatever the system calls itself.
std::string name_of_host() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return "localhost";
  std::string name = buffer.data();
  for (char& c : name) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
    if (!plain) c = '-';
  }
  return name.empty() ? "localhost" : name;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc = (crc >> 8) ^ crc32c_table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return ~crc;
}

EventFile::EventFile(std::filesystem::path folder, const EventFileOptions& options)
    : folder_(std::move(folder)), options_(options) {}

EventFile::~EventFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double value, double wall_time) {
  if (given_up_) return;
  waiting_ += event_record(scalar_event(tag, step, static_cast<float>(value), wall_time));
}

/// A name that nobody has, so that a process that trains twice in a second has two files.
bool EventFile::open() {
  const std::time_t now = std::time(nullptr);
  const std::string seconds = std::to_string(now);
  const std::string padded = std::string(seconds.size() < 10 ? 10 - seconds.size() : 0, '0');
  const std::string start = std::string(event_file_start) + padded + seconds + "." +
                            name_of_host() + "." + std::to_string(::getpid()) + ".";
  for (int n = 0; descriptor_ < 0 && (n == 0 || errno == EEXIST); ++n) {
    file_ = folder_ / (start + std::to_string(n));
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  if (descriptor_ < 0) return false;
  const auto wall_time = static_cast<double>(now);
  std::string head = event_record(version_event(wall_time));
  if (options_.first_step) head += event_record(start_event(wall_time, *options_.first_step));
  waiting_ = head + waiting_;
  return true;
}

void EventFile::give_up(int error) {
  given_up_ = true;
  waiting_.clear();
  log_warn(file_.string() + ": cannot write, TensorBoard will see no more of this training: " +
           std::strerror(error));
}

void EventFile::flush() {
  if (given_up_ || waiting_.empty()) return;
  if (descriptor_ < 0 && !open()) return give_up(errno);
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const ssize_t count = ::pwrite(descriptor_, waiting_.data() + done, waiting_.size() - done,
                                   written_ + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int reason = count < 0 ? errno : ENOSPC;
      static_cast<void>(::ftruncate(descriptor_, written_));  // no record without its end
      return give_up(reason);
    }
    done += static_cast<std::size_t>(count);
  }
  written_ += static_cast<std::int64_t>(done);
  waiting_.clear();
}

}  // namespace gradus::app
