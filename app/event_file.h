// The file that TensorBoard reads: numbers of a training, step by step, which it draws as curves.
//
//   folder/events.out.tfevents.<seconds>.<host>.<process>.<n>    TensorBoard knows it by the middle of its name
//   record   length of the data, uint64; masked CRC-32C of these 8 bytes; data; masked CRC-32C of it
//   data     a protocol buffer `Event`; the first names the version of the format, "brain.Event:2"
//
// All numbers are little-endian. A file is begun by each process that trains: TensorBoard reads those of a
// folder as one, in the order of their names, which begin with the time.
//
// The curves are worth less than the training: where the file cannot be written there is one warning, and
// nothing more of it.
//
// Sources: the record, https://www.tensorflow.org/tutorials/load_data/tfrecord; Event and Summary,
// https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto and summary.proto
// beside it; how they become bytes, https://protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace gradus::app {

/// What the names of such files begin with.
inline constexpr std::string_view event_file_start = "events.out.tfevents.";

/// CRC-32C, with the polynomial of Castagnoli (RFC 3720, 12.1). Of "123456789" it is 0xe3069283.
std::uint32_t crc32c(std::string_view bytes);

struct EventFileOptions {
  /// Of a training that goes on: the first step that is to come. What earlier files of the folder have of it
  /// and of those behind it was not kept by a checkpoint, and TensorBoard drops it.
  std::optional<std::int64_t> first_step{};
};

/// Writes one such file.
class EventFile {
 public:
  /// Nothing is written yet, and `folder` need not be there.
  explicit EventFile(std::filesystem::path folder, const EventFileOptions& options = {});
  /// What was not flushed is lost: it belongs to no checkpoint.
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// A point of the curve `tag`, UTF-8 such as "loss/train"; a slash makes groups. `wall_time` is in seconds
  /// since 1970. TensorBoard has float32: of `value` so much is kept.
  void scalar(std::string_view tag, std::int64_t step, double value, double wall_time);
  /// Writes what waits, making the file when it is the first time. Never throws for what goes wrong: warns,
  /// once, and drops what is still to come.
  void flush();

 private:
  bool open();
  void give_up(int error);

  std::filesystem::path folder_;
  EventFileOptions options_;
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::int64_t written_ = 0;
  std::string waiting_;
  bool given_up_ = false;
};

}  // namespace gradus::app
