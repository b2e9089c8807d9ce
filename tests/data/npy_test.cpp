// NumPy's files, made by hand as its documentation and that of zip describe them: what is read and
// written, and every damage refused.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/npy.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <zlib.h>

#include "support/error_message.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

using namespace gradus;
using namespace std::string_view_literals;

namespace {

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// A .npy file with this header and data.
std::string npy(const std::string& header, std::string_view data, int version = 1) {
  return "\x93NUMPY" + little(static_cast<std::uint64_t>(version), 2) +
         little(header.size(), version == 1 ? 2 : 4) + header + std::string(data);
}

std::string npy_of(const std::string& descr, const std::string& shape, std::string_view data,
                   bool fortran_order = false) {
  return npy("{'descr': '" + descr + "', 'fortran_order': " + (fortran_order ? "True" : "False") +
                 ", 'shape': " + shape + ", }    \n",
             data);
}

std::string float_bytes(const std::vector<float>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)};
}

/// A raw deflate stream.
std::string deflated(const std::string& bytes) {
  std::string packed(bytes.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// An entry of an archive; what the records say may be changed.
struct Entry {
  std::string name;
  std::string content;
  bool pack = false;
  bool wide = false;        ///< zip64: the sizes stand in an extra field
  bool descriptor = false;  ///< sizes and checksum stand behind the data
  std::uint64_t flags = 0;
  std::uint64_t method = 99;     ///< 99: what `pack` says
  std::int64_t size_more = 0;    ///< added to the size in the directory
  std::int64_t packed_more = 0;  ///< added to the packed size there
  std::int64_t offset_more = 0;  ///< added to the offset there
  std::uint64_t crc_other = 0;   ///< bits of the checksum that are wrong
  std::string local_name{};      ///< in the entry's own header, where it is another
};

struct ZipOptions {
  bool wide = false;  ///< with the end records of zip64
  std::string before{};
  std::string comment{};
  std::int64_t count_more = 0;
};

std::string zip(const std::vector<Entry>& entries, const ZipOptions& options = {}) {
  std::string file = options.before;
  std::string directory;
  for (const Entry& entry : entries) {
    const std::string packed = entry.pack ? deflated(entry.content) : entry.content;
    const std::uint64_t method = entry.method == 99 ? (entry.pack ? 8 : 0) : entry.method;
    const std::uint64_t flags = entry.flags | (entry.descriptor ? 8 : 0);
    const std::uint64_t crc = crc32(0, reinterpret_cast<const Bytef*>(entry.content.data()),
                                    static_cast<uInt>(entry.content.size())) ^
                              entry.crc_other;
    const auto size = static_cast<std::uint64_t>(std::ssize(entry.content) + entry.size_more);
    const auto packed_size = static_cast<std::uint64_t>(std::ssize(packed) + entry.packed_more);
    const auto offset = static_cast<std::uint64_t>(std::ssize(file) + entry.offset_more);
    const std::string& name = entry.local_name.empty() ? entry.name : entry.local_name;
    const std::string sizes =
        entry.wide ? std::string(8, '\xff') : little(packed_size, 4) + little(size, 4);
    const std::string extra =
        entry.wide ? little(1, 2) + little(16, 2) + little(size, 8) + little(packed_size, 8) : "";
    file += "PK\3\4" + little(20, 2) + little(flags, 2) + little(method, 2) + little(0, 4) +
            (entry.descriptor ? std::string(12, '\0') : little(crc, 4) + sizes) +
            little(name.size(), 2) + little(extra.size(), 2) + name + extra + packed;
    if (entry.descriptor) file += "PK\7\x08" + little(crc, 4) + sizes;
    directory += "PK\1\2" + little(20, 2) + little(20, 2) + little(flags, 2) + little(method, 2) +
                 little(0, 4) + little(crc, 4) + sizes + little(entry.name.size(), 2) +
                 little(extra.size(), 2) + little(0, 2) + little(0, 2) + little(0, 2) +
                 little(0, 4) + little(offset, 4) + entry.name + extra;
  }
  const std::size_t start = file.size();
  const auto count = static_cast<std::uint64_t>(std::ssize(entries) + options.count_more);
  file += directory;
  if (options.wide) {
    const std::size_t record = file.size();
    file += "PK\6\6" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
            little(count, 8) + little(count, 8) + little(directory.size(), 8) + little(start, 8);
    file += "PK\6\7" + little(0, 4) + little(record, 8) + little(1, 4);
  }
  file += "PK\5\6" + little(0, 4);
  file += options.wide ? std::string(12, '\xff')
                       : little(count, 2) + little(count, 2) + little(directory.size(), 4) +
                             little(start, 4);
  return file + little(options.comment.size(), 2) + options.comment;
}

class NumpyFile {
 public:
  explicit NumpyFile(std::string_view bytes) { write_bytes(path(), bytes); }
  std::string path() const { return folder_ / "f"; }
  Tensor npy() const { return load_npy(path()); }
  NamedTensors npz() const { return load_npz(path()); }
  std::string npy_refusal() const {
    return refusal("npy", [&] { npy(); });
  }
  std::string npz_refusal() const {
    return refusal("npz", [&] { npz(); });
  }

 private:
  std::string refusal(const std::string& format, const std::function<void()>& load) const {
    const std::string text = message_of<BadDataError>(load);
    CHECK(text.starts_with(format + ": " + path() + ": "));
    return text;
  }
  TemporaryFolder folder_;
};

/// A small array and the tensor that it is.
const std::string pair = npy_of("<i2", "(2,)", "\1\0\xff\xff"sv);
Tensor pair_tensor() { return Tensor::from({1, -1}); }

/// Tries a file; says whether it was read. Only errors of the library may come out of it.
bool loads(const TemporaryFolder& folder, std::string_view bytes, bool archive) {
  write_bytes(folder / "damaged", bytes);
  try {
    archive ? void(load_npz(folder / "damaged")) : void(load_npy(folder / "damaged"));
    return true;
  } catch (const BadDataError& error) {
    CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
    return false;
  }
}

}  // namespace

TEST_CASE("every dtype is read, in both orders of bytes") {
  const auto read = [](const std::string& descr, std::string_view data) {
    return NumpyFile(npy_of(descr, "(2,)", data)).npy();
  };
  CHECK(core::equal(read("|b1", "\0\1"sv), Tensor::from({false, true})));
  CHECK(core::equal(read("|u1", "\x80\1"sv), Tensor::from({128, 1}, uint8)));
  CHECK(core::equal(read("|i1", "\x80\1"sv), Tensor::from({-128, 1})));
  CHECK(core::equal(read("<i2", "\xfe\xff\1\2"sv), Tensor::from({-2, 513})));
  CHECK(core::equal(read(">i2", "\xff\xfe\2\1"sv), Tensor::from({-2, 513})));
  CHECK(core::equal(read("<u2", "\xfe\xff\1\2"sv), Tensor::from({65534, 513})));
  CHECK(core::equal(read(">u2", "\xff\xfe\2\1"sv), Tensor::from({65534, 513})));
  CHECK(core::equal(read("<i4", "\xfe\xff\xff\xff\1\0\0\x80"sv), Tensor::from({-2, -2147483647})));
  CHECK(core::equal(read(">i4", "\xff\xff\xff\xfe\x80\0\0\1"sv), Tensor::from({-2, -2147483647})));
  CHECK(core::equal(read("<u4", "\xfe\xff\xff\xff\1\0\0\x80"sv),
                    Tensor::from({std::int64_t{4294967294}, std::int64_t{2147483649}})));
  CHECK(core::equal(read(">u4", "\xff\xff\xff\xfe\x80\0\0\1"sv),
                    Tensor::from({std::int64_t{4294967294}, std::int64_t{2147483649}})));
  CHECK(core::equal(read("<i8", "\xfe\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\1\0\0\0"sv),
                    Tensor::from({std::int64_t{-2}, std::int64_t{1} << 32})));
  CHECK(core::equal(read(">i8", "\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\1\0\0\0\0"sv),
                    Tensor::from({std::int64_t{-2}, std::int64_t{1} << 32})));
  // IEEE 754: 1.5 is 3e00, 3fc00000 and 3ff8000000000000; -2 is c000, c0000000, c000000000000000.
  const Tensor halves = read("<f2", "\x00\x3e\x00\xc0"sv);
  CHECK(halves.dtype() == float16);
  CHECK(core::equal(halves.to(float32), Tensor::from({1.5, -2.0}, float32)));
  CHECK(core::equal(read(">f2", "\x3e\x00\xc0\x00"sv).to(float32),
                    Tensor::from({1.5, -2.0}, float32)));
  CHECK(core::equal(read("<f4", "\0\0\xc0\x3f\0\0\0\xc0"sv), Tensor::from({1.5, -2.0}, float32)));
  CHECK(core::equal(read(">f4", "\x3f\xc0\0\0\xc0\0\0\0"sv), Tensor::from({1.5, -2.0}, float32)));
  CHECK(core::equal(read("<f8", "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0"sv),
                    Tensor::from({1.5, -2.0}, float64)));
  CHECK(core::equal(read(">f8", "\x3f\xf8\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0"sv),
                    Tensor::from({1.5, -2.0}, float64)));
}

TEST_CASE("shapes of any rank are read, and Fortran's order is") {
  CHECK(NumpyFile(npy_of("|u1", "()", "\7")).npy().shape() == Shape{});
  CHECK(NumpyFile(npy_of("<f4", "(0, 3)", "")).npy().shape() == Shape{0, 3});
  CHECK(NumpyFile(npy_of("|u1", "(1, 1, 1, 1, 1, 1, 1, 2)", "ab")).npy().rank() == 8);
  const Tensor columns = NumpyFile(npy_of("|u1", "(2, 3)", "\1\4\2\5\3\6", true)).npy();
  CHECK(columns.strides() == Strides{1, 2});
  CHECK(core::equal(columns, Tensor::from({{1, 2, 3}, {4, 5, 6}}, uint8)));
  CHECK(NumpyFile(npy_of("|u1", "()", "\7", true)).npy().item() == 7);
  const Tensor cube = NumpyFile(npy_of("|u1", "(2, 1, 3)", "\1\4\2\5\3\6", true)).npy();
  CHECK(core::equal(cube, Tensor::from({{{1, 2, 3}}, {{4, 5, 6}}}, uint8)));
}

TEST_CASE("each version of the header is read, however Python spaced it") {
  for (const int version : {1, 2, 3}) {
    CHECK(core::equal(
        NumpyFile(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", "\1\2", version))
            .npy(),
        Tensor::from({1, 2}, uint8)));
  }
  CHECK(NumpyFile(npy("{\"shape\":(2L,1L),'descr':\"<u1\",'fortran_order':False}\n\n", "\1\2"))
            .npy()
            .shape() == Shape{2, 1});
  const TemporaryFolder folder;
  write_gz(folder / "f.npy.gz", pair);
  CHECK(core::equal(load_npy(folder / "f.npy.gz"), pair_tensor()));
}

TEST_CASE("what Gradus has no tensor for is refused by name") {
  const auto message = [](const std::string& descr) {
    return NumpyFile(npy_of(descr, "(1,)", std::string(16, '\0'))).npy_refusal();
  };
  CHECK(contains(message("|O"),
                 "is an object array, which would need pickle: dtype '|O', Gradus reads b1"));
  CHECK(contains(message("<U1"), "is an array of strings"));
  CHECK(contains(message("|S1"), "is an array of byte strings"));
  CHECK(contains(message("<c8"), "is a complex array"));
  CHECK(contains(message("|V8"), "is an array of raw bytes or records"));
  CHECK(contains(message("<M8[ns]"), "is an array of dates or time spans"));
  CHECK(contains(message("<u8"), "unsigned numbers wider than int64 holds"));
  CHECK(contains(message("<f16"), "another dtype: dtype '<f16'"));
  CHECK(contains(message("|i4"), "dtype '|i4'"));
  CHECK(contains(message(""), "another dtype: dtype ''"));
  CHECK(contains(
      NumpyFile(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"))
          .npy_refusal(),
      "is a structured array"));
}

TEST_CASE("a damaged header is refused with its reason") {
  const auto message = [](const std::string& header) {
    return NumpyFile(npy(header, "12345678")).npy_refusal();
  };
  const std::string rest = "'fortran_order': False, 'shape': (8,)}";
  for (const std::string& header :
       {std::string(), std::string("{"), std::string("}"), std::string("{'descr'"),
        std::string("{'descr': '|u1"), std::string("['descr']"), "{'descr': '|u1' " + rest,
        "{'descr': '|u1', " + rest + " x", "{'descr': '|u1', " + rest + "}",
        "{'descr': 'x1\x01', " + rest, "{'descr': |u1, " + rest,
        std::string("{'descr': '|u1', 'fortran_order': 0, 'shape': (8,)}"),
        std::string("{'descr': '|u1', 'fortran_order': False, 'shape': 8}"),
        std::string("{'descr': '|u1', 'fortran_order': False, 'shape': (-8,)}"),
        std::string("{'descr': '|u1', 'fortran_order': False, 'shape': (8.0,)}"),
        std::string("{'descr': '|u1', 'fortran_order': False, 'shape': (8"),
        std::string(
            "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}")}) {
    CAPTURE(header);
    const std::string text = message(header);
    CHECK((contains(text, "header is not what NumPy writes near byte ") ||
           contains(text, "another dtype")));
    CHECK_FALSE(contains(text, "\x01"));
  }
  CHECK(contains(message("{'descr': '|u1', 'descr': '|u1', " + rest), "header has 'descr' twice"));
  CHECK(contains(message("{'size': 3, 'descr': '|u1', " + rest),
                 "header has the unknown key 'size'"));
  CHECK(contains(message("{" + rest), "header has no 'descr'"));
  CHECK(contains(message("{'descr': '|u1', 'fortran_order': False}"), "header has no 'shape'"));
  CHECK(contains(message("{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,8)}"),
                 "has more dimensions than the 8 that Gradus holds"));
}

TEST_CASE("sizes that do not fit the file are refused before memory is taken") {
  const auto message = [](const std::string& shape, std::string_view data) {
    return NumpyFile(npy_of("<f4", shape, data)).npy_refusal();
  };
  CHECK(contains(message("(2,)", "1234567"), "data ends after 7 bytes, shape [2] takes 8"));
  CHECK(contains(message("(2,)", "123456789"),
                 "data goes on after the 8 bytes that shape [2] takes"));
  CHECK(contains(message("(1000000000000,)", "1"),
                 "takes 4000000000000 bytes, the file can hold at most "));
  CHECK(contains(message("(4611686018427387904,)", "1"), "has too many elements"));
  CHECK(contains(message("(4294967296, 4294967296)", "1"), "has too many elements"));
  CHECK(contains(message("(0, 4294967296, 4294967296)", ""), "has too many elements"));
  CHECK(contains(NumpyFile(npy_of("|b1", "(3,)", "\0\1\2"sv)).npy_refusal(),
                 "element 2 is 2, a bool is 0 or 1"));
  CHECK(contains(NumpyFile("\x93NUMPY\1").npy_refusal(), "array ends 1 bytes before its header"));
  CHECK(contains(NumpyFile("\x93NUMPY\4\0\1\0 "sv).npy_refusal(), "format version 4.0"));
  CHECK(
      contains(NumpyFile("\x93NUMPY\2\0\0\0\0\x40"sv).npy_refusal(), "header of 1073741824 bytes"));
  CHECK(
      contains(NumpyFile("\x1b[2Jabcdefgh").npy_refusal(), "begins with '?[2Jab', an array with"));
}

TEST_CASE("a packed array that would fill the memory is refused") {
  const TemporaryFolder folder;
  constexpr std::size_t much = 100'000'000;
  const std::string bomb = npy_of("|u1", "(100000000,)", std::string(much, '\0'));
  write_gz(folder / "f", bomb);
  CHECK(contains(message_of<BadDataError>([&] { load_npy(folder / "f"); }),
                 "takes 100000000 bytes, a packed file of "));
  const std::string half = npy_of("|u1", "(50000000,)", std::string(much / 2, '\0'));
  const Entry entry{.name = "a.npy", .content = half, .pack = true};
  CHECK(NumpyFile(zip({entry})).npz().size() == 1);
  Entry second = entry;
  second.name = "b.npy";
  CHECK(contains(NumpyFile(zip({entry, second})).npz_refusal(),
                 "entry 'b.npy': shape [50000000] takes 50000000 bytes, packed in "));
}

TEST_CASE("arrays stored, deflated, with descriptors and in zip64 are read in their order") {
  const std::string matrix = npy_of("<f4", "(2, 2)", float_bytes({1, 2, 3, 4}));
  for (const bool wide_end : {false, true}) {
    const std::string bytes =
        zip({{.name = "z.npy", .content = pair},
             {.name = "a.npy", .content = matrix, .pack = true},
             {.name = "d/e.npy", .content = pair, .pack = true, .descriptor = true},
             {.name = "w.npy", .content = matrix, .pack = true, .wide = true},
             {.name = "arr_0.npy", .content = npy_of("<f8", "(0,)", "")}},
            {.wide = wide_end, .comment = wide_end ? "PK\5\6 is a comment" : ""});
    const NamedTensors tensors = NumpyFile(bytes).npz();
    REQUIRE(tensors.size() == 5);
    CHECK(tensors[0].first == "z");
    CHECK(core::equal(tensors[0].second, pair_tensor()));
    CHECK(tensors[1].first == "a");
    CHECK(core::equal(tensors[1].second, Tensor::from({{1.0, 2.0}, {3.0, 4.0}}, float32)));
    CHECK(tensors[2].first == "d/e");
    CHECK(core::equal(tensors[2].second, pair_tensor()));
    CHECK(core::equal(tensors[3].second, tensors[1].second));
    CHECK(tensors[4].second.shape() == Shape{0});
  }
  CHECK(NumpyFile(zip({})).npz().empty());
}

TEST_CASE("an archive that is not what it says is refused with both values") {
  const auto message = [](const Entry& entry, const ZipOptions& options = {}) {
    return NumpyFile(zip({{.name = "first.npy", .content = pair}, entry}, options)).npz_refusal();
  };
  const Entry good{.name = "x.npy", .content = pair, .pack = true};
  const auto with = [&](const std::function<void(Entry&)>& change) {
    Entry entry = good;
    change(entry);
    return message(entry);
  };
  CHECK(contains(with([](Entry& e) { e.crc_other = 1; }), "entry 'x.npy': checksum is "));
  CHECK(contains(with([](Entry& e) { e.size_more = 1; }), "bytes, the directory says "));
  CHECK(contains(with([](Entry& e) { e.size_more = -1; }), "unpacks to more than "));
  CHECK(contains(with([](Entry& e) { e.size_more = 1'000'000; }), "bytes cannot hold "));
  CHECK(contains(with([](Entry& e) { e.packed_more = 1; }), "(an overlap)"));
  CHECK(contains(with([](Entry& e) { e.packed_more = -1; }), "deflate stream is truncated after "));
  CHECK(contains(with([](Entry& e) { e.offset_more = 1; }), "is not at byte "));
  CHECK(contains(with([](Entry& e) { e.local_name = "y.npy"; }), "is not at byte "));
  CHECK(contains(with([](Entry& e) { e.flags = 1; }), "is encrypted"));
  CHECK(
      contains(with([](Entry& e) { e.method = 12; }), "is packed by method 12, Gradus unpacks 0"));
  CHECK(contains(with([](Entry& e) { e.method = 0; }), "bytes cannot hold "));
  CHECK(contains(with([](Entry& e) { e.name = "first.npy"; }), "entry 'first.npy' is there twice"));
  CHECK(contains(with([](Entry& e) { e.name = "data.pkl"; }), "entry 'data.pkl' is no .npy array"));
  CHECK(contains(with([](Entry& e) { e.content += "x"; }), "data goes on after the 4 bytes"));
  CHECK(contains(with([](Entry& e) { e.content.pop_back(); }),
                 "data ends after 3 bytes, shape [2] takes 4"));
  CHECK(contains(with([](Entry& e) { e.content = npy_of("|O", "(1,)", "12345678"); }),
                 "entry 'x.npy': is an object array, which would need pickle"));
  const Entry long_name{.name = std::string(60, 'n') + ".npy", .content = pair};
  CHECK(contains(message(long_name, {.count_more = 1}),
                 "directory is damaged 0 bytes before its end"));
  CHECK(contains(message(good, {.count_more = -1}), "directory goes on for "));
  CHECK(contains(message(good, {.count_more = 1000}), "1002 entries in a directory of "));
  CHECK(contains(message({.name = "a\n\x1b.npy", .content = "x"}),
                 "entry 'a??.npy': array ends 7 bytes before"));
}

TEST_CASE("entries that share bytes are refused") {
  const std::string twice =
      zip({{.name = "a.npy", .content = pair}, {.name = "a.npy", .content = pair}});
  const auto name = twice.rfind("a.npy");
  std::string bytes = twice;
  bytes[name] = 'b';  // the second entry of the directory, which now leads to the first's bytes
  const std::size_t offset = name - 4;
  bytes.replace(offset, 4, std::string(4, '\0'));
  CHECK(contains(NumpyFile(bytes).npz_refusal(), "entry 'b.npy' is not at byte 0"));
  const std::string nested = zip({{.name = "b.npy", .content = pair}});
  std::string outer =
      zip({{.name = "a.npy", .content = nested}, {.name = "b.npy", .content = pair}});
  const std::size_t last = outer.rfind("b.npy");
  outer.replace(last - 4, 4, little(35, 4));  // inside the first, where another b.npy begins
  CHECK(contains(NumpyFile(outer).npz_refusal(),
                 "entry 'b.npy' begins at byte 35, the one before it ends at "));
}

TEST_CASE("the wrong kind of file is told what reads it") {
  CHECK(contains(NumpyFile(zip({{.name = "a.npy", .content = pair}})).npy_refusal(),
                 "is a zip archive; load_npz reads"));
  CHECK(contains(NumpyFile(pair).npz_refusal(), "is one array; load_npy reads it"));
  CHECK(contains(NumpyFile("").npz_refusal(), "is no zip archive"));
  const TemporaryFolder folder;
  CHECK_THROWS_AS(load_npy(folder / "gone"), NotFoundError);
  CHECK_THROWS_AS(load_npz(folder / "gone"), NotFoundError);
  CHECK(contains(message_of<IoError>([&] { load_npz(folder.path()); }), "is not a regular file"));
}

TEST_CASE("arrays cut at any length, or with a bit changed, load or are refused") {
  const TemporaryFolder folder;
  std::vector<std::pair<std::string, bool>> files = {
      {npy_of(">f4", "(2, 2)", float_bytes({1, 2, 3, 4})), false}};
  for (const bool wide : {false, true}) {
    files.emplace_back(zip({{.name = "a.npy", .content = pair, .pack = true, .descriptor = wide},
                            {.name = "b.npy", .content = pair, .wide = wide}},
                           {.wide = wide}),
                       true);
  }
  for (const auto& [whole, archive] : files) {
    REQUIRE(loads(folder, whole, archive));
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      CHECK_FALSE(loads(folder, std::string_view(whole).substr(0, length), archive));
    }
    int refused = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string bytes = whole;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      refused += !loads(folder, bytes, archive);
    }
    CHECK(refused >
          std::ssize(whole));  // most of a header matters, of the numbers nothing is known
  }
}

TEST_CASE("two thousand archives damaged in several places load or are refused") {
  const TemporaryFolder folder;
  const std::string whole = zip({{.name = "a.npy", .content = pair, .pack = true},
                                 {.name = "b.npy", .content = pair, .wide = true}},
                                {.wide = true});
  Generator generator(13);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (std::int64_t changes = 2 + generator.below(4); changes > 0; --changes) {
      auto& byte = bytes[static_cast<std::size_t>(generator.below(std::ssize(bytes)))];
      byte = static_cast<char>(generator.below(2) == 0 ? generator.below(256) : 0xff);
    }
    refused += !loads(folder, bytes, true);
  }
  CHECK(refused > 1000);
}

TEST_CASE("what is written is what NumPy's format describes") {
  const TemporaryFolder folder;
  const std::string path = folder / "f.npy";
  save_npy(path, Tensor::from({{1.5, -2.0}}, float32));
  const std::string expected = "\x93NUMPY\1" + std::string(1, '\0') + little(118, 2) +
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  const std::string bytes = read_bytes(path);
  CHECK(bytes.starts_with(expected));
  CHECK(bytes.size() == 128 + 8);
  CHECK(bytes[127] == '\n');
  CHECK(bytes.substr(128) == "\0\0\xc0\x3f\0\0\0\xc0"sv);
  save_npy(path, arange(3));
  CHECK(contains(read_bytes(path), "'descr': '<i8', 'fortran_order': False, 'shape': (3, ), }"));
  save_npy(path, Tensor::scalar(1));
  CHECK(contains(read_bytes(path), "'shape': (), }"));
}

TEST_CASE("what is written is read again, of every dtype and layout") {
  const TemporaryFolder folder;
  const std::string path = folder / "f.npy";
  const Tensor numbers = Tensor::from({{1, 0, 3}, {0, 5, 6}});
  for (const DType dtype : {float32, float64, int64, uint8, boolean, float16}) {
    CAPTURE(dtype);
    for (const Tensor& tensor :
         {numbers.to(dtype), numbers.to(dtype).transpose(), numbers.to(dtype).slice(1, 0, 3, 2),
          numbers.to(dtype).narrow(0, 1, 1), Tensor::empty({0, 2}, dtype)}) {
      save_npy(path, tensor);
      const Tensor read = load_npy(path);
      CHECK(read.dtype() == dtype);
      CHECK(read.shape() == tensor.shape());
      CHECK(core::equal(read.to(float64), tensor.to(float64)));
    }
  }
  for (int rank = 0; rank <= Shape::max_rank; ++rank) {
    save_npy(path, ones(Shape::filled(rank, 1)));
    CHECK(read_bytes(path).size() % 64 == 4);  // the data begins at a multiple of 64 and takes 4
    CHECK(load_npy(path).rank() == rank);
  }
}

TEST_CASE("what cannot be written is refused") {
  const TemporaryFolder folder;
  CHECK(contains(message_of<DTypeError>([&] { save_npy(folder / "f", ones({1}).to(bfloat16)); }),
                 "NumPy has no bfloat16; cast with .to(float32)"));
  CHECK(contains(message_of<ValueError>([&] { save_npy(folder / "f", Tensor()); }),
                 "tensor is undefined"));
  CHECK(folder.entries() == 0);
  CHECK(
      contains(message_of<IoError>([&] { save_npy(folder / "no/f", ones({1})); }), "No such file"));
  CHECK(contains(message_of<IoError>([&] { save_npy("/dev/full", ones({1})); }),
                 "/dev/full: is not a regular file"));
}
