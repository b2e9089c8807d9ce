// The digits: a packed text file inside the library, see cmake/embed.cmake.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/data/dataset.h>

#include <charconv>
#include <span>

#include <zlib.h>

namespace gradus {

/// The bytes of data/digits/digits.csv.gz; the build writes the definition.
std::span<const unsigned char> digits_csv_gz();

namespace {

constexpr std::int64_t samples = 1797;
constexpr std::int64_t pixels_of_digit = 64;
constexpr std::int64_t brightest = 16;

/// Unpacks a gzip stream that gives at most `limit` bytes.
std::string gunzip(std::span<const unsigned char> packed, std::size_t limit) {
  std::string text(limit, '\0');
  z_stream stream{};
  stream.next_in = const_cast<unsigned char*>(packed.data());  // zlib only reads it
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(limit);
  constexpr int expect_gzip = 16;
  inflateInit2(&stream, MAX_WBITS + expect_gzip);
  const int code = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (code != Z_STREAM_END) fail<BadDataError>("digits: gzip stream is damaged, zlib error ", code);
  text.resize(stream.total_out);
  return text;
}

/// Takes whole numbers from a text in which one separator stands after each.
class Numbers {
 public:
  explicit Numbers(const std::string& text) : at_(text.data()), end_(at_ + text.size()) {}

  std::int64_t next(std::int64_t most) {
    std::int64_t value = -1;
    const auto [stop, error] = std::from_chars(at_, end_, value);
    if (error != std::errc() || value < 0 || value > most) {
      fail<BadDataError>("digits: expected a number 0..", most, ", got ", value);
    }
    at_ = stop + (stop != end_);
    return value;
  }
  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

DataSplit load_digits() {
  constexpr std::size_t longest_line = 3 * (pixels_of_digit + 1);
  const std::string text = gunzip(digits_csv_gz(), samples * longest_line);
  Dataset digits{.name = "digits",
                 .images = Tensor::empty({samples, 1, 8, 8}, float32),
                 .labels = Tensor::empty({samples}, int64),
                 .classes = 10,
                 .normalization = {.mean = {0.3053}, .stddev = {0.3761}}};  // of the training part
  auto* image = digits.images.data<float>();
  auto* label = digits.labels.data<std::int64_t>();
  Numbers numbers(text);
  for (std::int64_t i = 0; i < samples; ++i) {
    for (std::int64_t p = 0; p < pixels_of_digit; ++p) {
      *image++ = static_cast<float>(numbers.next(brightest)) / static_cast<float>(brightest);
    }
    *label++ = numbers.next(digits.classes - 1);
  }
  if (!numbers.at_end()) fail<BadDataError>("digits: more than ", samples, " lines");
  // Neighbours in the file are often of one hand; mixed, both parts hold all hands.
  return random_split(digits, 1437, 0);
}

}  // namespace gradus
