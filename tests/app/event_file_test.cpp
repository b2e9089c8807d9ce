// Files for TensorBoard, read by a small decoder of their own: records by the description of TFRecord, fields
// by that of protocol buffers, the checksum bit by bit.
#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <numbers>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <app/event_file.h>
#include <support/temporary_folder.h>

using gradus::app::crc32c;
using gradus::app::EventFile;

namespace {

/// The division of polynomials itself, without a table.
std::uint32_t crc32c_bit_by_bit(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc % 2 == 1 ? crc / 2 ^ 0x82F63B78u : crc / 2;
  }
  return ~crc;
}

/// Takes values off the front of some bytes.
class EventBytes {
 public:
  explicit EventBytes(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) throw std::runtime_error("the bytes end too early");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  template <class T> T plain() {
    T value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = plain<std::uint8_t>();
      value += std::uint64_t{byte % 128u} << shift;
      if (byte < 128) return value;
    }
    throw std::runtime_error("a varint of more than ten bytes");
  }

 private:
  std::string_view rest_;
};

/// The fields of a message that has none of them twice; numbers as their bits.
struct EventMessage {
  std::map<std::uint64_t, std::uint64_t> numbers{};
  std::map<std::uint64_t, std::string> texts{};
};

EventMessage decode_message(std::string_view data) {
  EventMessage message;
  for (EventBytes bytes(data); !bytes.empty();) {
    const std::uint64_t key = bytes.varint();
    const std::uint64_t field = key / 8;
    CHECK(!message.numbers.contains(field));
    CHECK(!message.texts.contains(field));
    switch (key % 8) {
      case 0:
        message.numbers[field] = bytes.varint();
        break;
      case 1:
        message.numbers[field] = bytes.plain<std::uint64_t>();
        break;
      case 2:
        message.texts[field] = bytes.take(bytes.varint());
        break;
      case 5:
        message.numbers[field] = bytes.plain<std::uint32_t>();
        break;
      default:
        throw std::runtime_error("a wire type that protocol buffers no longer have");
    }
  }
  return message;
}

std::vector<EventMessage> decode_events(const std::string& file) {
  const auto masked = [](std::string_view bytes) {
    const std::uint32_t crc = crc32c_bit_by_bit(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  std::vector<EventMessage> events;
  for (EventBytes bytes(file); !bytes.empty();) {
    const std::string_view length = bytes.take(8);
    CHECK(bytes.plain<std::uint32_t>() == masked(length));
    const std::string_view data = bytes.take(EventBytes(length).plain<std::uint64_t>());
    CHECK(bytes.plain<std::uint32_t>() == masked(data));
    events.push_back(decode_message(data));
  }
  return events;
}

struct EventPoint {
  std::string tag;
  std::int64_t step = 0;
  float value = 0;
  double wall_time = 0;
};

template <class T, class Bits> T number_of(std::uint64_t bits) {
  const auto narrow = static_cast<Bits>(bits);
  T number{};
  static_assert(sizeof number == sizeof narrow);
  std::memcpy(&number, &narrow, sizeof number);
  return number;
}

EventPoint point_of(const EventMessage& event) {
  CHECK(event.texts.size() == 1);
  const EventMessage value = decode_message(decode_message(event.texts.at(5)).texts.at(1));
  return {.tag = value.texts.at(1),
          .step = static_cast<std::int64_t>(event.numbers.at(2)),
          .value = number_of<float, std::uint32_t>(value.numbers.at(2)),
          .wall_time = number_of<double, std::uint64_t>(event.numbers.at(1))};
}

std::vector<std::string> event_files(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    names.push_back(entry.path().string());
  return names;
}

std::vector<EventMessage> only_events(const TemporaryFolder& folder) {
  const std::vector<std::string> names = event_files(folder);
  REQUIRE(names.size() == 1);
  return decode_events(read_bytes(names[0]));
}

}  // namespace

TEST_CASE("CRC-32C is that of RFC 3720") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xE3069283u);
  // RFC 3720, B.4, whose bytes stand there in the order of the wire.
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  CHECK(crc32c(rising) == 0x46dd794eu);
  CHECK(crc32c(std::string(rising.rbegin(), rising.rend())) == 0x113fdb5cu);
}

TEST_CASE("an event file opens with its version and holds each point as it was given") {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  file.scalar("loss/train", 1, 2.5, 1700000000.25);
  file.scalar("", 0, -0.0, 0);
  file.scalar("accuracy", std::numeric_limits<std::int64_t>::max(), std::numbers::pi, -1);
  file.scalar(std::string(1000, 'x'), 300, HUGE_VAL, 1);
  file.scalar("nan", -1, std::nan(""), 1);
  file.flush();

  const std::vector<EventMessage> events = only_events(folder);
  REQUIRE(events.size() == 6);
  CHECK(events[0].texts == std::map<std::uint64_t, std::string>{{3, "brain.Event:2"}});
  const double begun = number_of<double, std::uint64_t>(events[0].numbers.at(1));
  CHECK(begun > 1.7e9);  // the seconds of 2023

  const EventPoint loss = point_of(events[1]);
  CHECK(loss.tag == "loss/train");
  CHECK(loss.step == 1);
  CHECK(loss.value == 2.5f);
  CHECK(loss.wall_time == 1700000000.25);
  const EventPoint zero = point_of(events[2]);
  CHECK(zero.tag.empty());
  CHECK(zero.step == 0);
  CHECK(std::signbit(zero.value));
  const EventPoint accuracy = point_of(events[3]);
  CHECK(accuracy.step == std::numeric_limits<std::int64_t>::max());
  CHECK(accuracy.value == std::numbers::pi_v<float>);
  CHECK(accuracy.wall_time == -1);
  const EventPoint infinite = point_of(events[4]);
  CHECK(infinite.tag == std::string(1000, 'x'));
  CHECK(infinite.step == 300);
  CHECK(std::isinf(infinite.value));
  CHECK(std::isnan(point_of(events[5]).value));
  CHECK(point_of(events[5]).step == -1);
}

TEST_CASE("an event is the very bytes that its description gives") {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  file.scalar("a", 300, 1, 0.5);
  file.flush();
  const std::string bytes = read_bytes(event_files(folder).at(0));
  // By hand: 0.5 is 3f e0 00.. and 1.0f is 3f 80 00 00; 300 is ac 02 as a varint.
  const std::string event(
      "\x09\0\0\0\0\0\0\xe0\x3f\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01\x61\x15\0\0\x80\x3f", 24);
  REQUIRE(bytes.size() > event.size() + 4);
  CHECK(bytes.substr(bytes.size() - event.size() - 4, event.size()) == event);
}

TEST_CASE("the name of an event file is one that TensorBoard looks for") {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  file.scalar("a", 1, 1, 1);
  file.flush();
  const std::string name = std::filesystem::path(event_files(folder).at(0)).filename().string();
  const std::string start = "events.out.tfevents.";
  REQUIRE(name.starts_with(start));
  CHECK(name.find_first_not_of("0123456789", start.size()) == start.size() + 10);  // until 2286
  CHECK(name.find("." + std::to_string(::getpid()) + ".") != std::string::npos);
}

TEST_CASE("an event file grows with each flush, and nothing is there before the first") {
  const TemporaryFolder folder;
  {
    EventFile file(folder.path());
    file.flush();
    file.scalar("a", 1, 1, 1);
    CHECK(folder.entries() == 0);
    file.flush();
    CHECK(only_events(folder).size() == 2);
    file.scalar("a", 2, 1, 1);
    file.scalar("a", 3, 1, 1);
    CHECK(only_events(folder).size() == 2);
    file.flush();
    file.flush();
    CHECK(only_events(folder).size() == 4);
    file.scalar("a", 4, 1, 1);
  }
  const std::vector<EventMessage> events = only_events(folder);
  REQUIRE(events.size() == 4);
  CHECK(point_of(events[3]).step == 3);
}

TEST_CASE(
    "a training that goes on has a file of its own, which takes back what no checkpoint kept") {
  const TemporaryFolder folder;
  EventFile first(folder.path());
  first.scalar("a", 1, 1, 1);
  first.flush();
  const std::string before = event_files(folder).at(0);
  EventFile second(folder.path(), {.first_step = 46});
  second.scalar("a", 46, 1, 1);
  second.flush();
  REQUIRE(folder.entries() == 2);
  for (const std::string& name : event_files(folder)) {
    if (name == before) continue;
    const std::vector<EventMessage> events = decode_events(read_bytes(name));
    REQUIRE(events.size() == 3);
    CHECK(events[0].texts.at(3) == "brain.Event:2");
    CHECK(events[1].numbers.at(2) == 46);
    CHECK(decode_message(events[1].texts.at(7)).numbers.at(1) == 1);  // SessionLog.START
    CHECK(point_of(events[2]).step == 46);
  }
}

TEST_CASE("an event file that cannot be made ends nothing") {
  const TemporaryFolder folder;
  EventFile file(folder / "not there");
  file.scalar("a", 1, 1, 1);
  file.flush();
  std::filesystem::create_directory(folder / "not there");
  file.scalar("a", 2, 1, 1);
  file.flush();
  CHECK(std::filesystem::is_empty(folder / "not there"));  // it has said that it gives up
}

TEST_CASE("a full disk leaves whole records") {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  file.scalar("a", 1, 1, 1);
  file.flush();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto earlier = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  for (int step = 2; step < 100; ++step) file.scalar("a", step, 1, 1);
  file.flush();
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, earlier);
  CHECK(only_events(folder).size() == 2);
}
