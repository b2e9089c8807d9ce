// Tables: what is found out about them, what the numbers and classes become, and every damage refused.
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/csv.h>

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

using namespace gradus;

namespace {

/// A table in a file of its own.
class Table {
 public:
  explicit Table(std::string_view text) { write_bytes(folder_ / "t.csv", text); }

  std::string path() const { return folder_ / "t.csv"; }
  Dataset load(const CsvOptions& options = {}) const { return load_csv(path(), options); }
  std::string refusal(const CsvOptions& options = {}) const {
    const std::string text = message_of<BadDataError>([&] { load(options); });
    CHECK(text.starts_with("csv: " + path() + ": "));
    return text;
  }

 private:
  TemporaryFolder folder_;
};

std::vector<std::int64_t> labels_of(const Dataset& dataset) {
  return dataset.labels.to_vector<std::int64_t>();
}

using Labels = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

constexpr std::string_view small =
    "label,a,b,c,d\n"
    "3,0,1,2,255\n"
    "1,4,5,6,7\n";

}  // namespace

TEST_CASE("a table of bytes becomes gray images and labels from 0") {
  const Dataset dataset = Table(small).load();
  CHECK(dataset.name == "t.csv");
  CHECK(
      core::equal(dataset.images, Tensor::from({{{{0, 1}, {2, 255}}}, {{{4, 5}, {6, 7}}}}, uint8)));
  CHECK(labels_of(dataset) == Labels{1, 0});
  CHECK(dataset.classes == 2);
  CHECK(dataset.class_names == Names{"1", "3"});
  CHECK_NOTHROW(check_dataset(dataset));
}

TEST_CASE("a packed table is the same") {
  const TemporaryFolder folder;
  write_gz(folder / "t.csv.gz", std::string(small));
  const Dataset packed = load_csv(folder / "t.csv.gz");
  CHECK(checksum(packed) == checksum(Table(small).load()));
}

TEST_CASE("line ends, a byte order mark, empty lines, spaces and quotes do not count") {
  const std::string expected = checksum(Table(small).load());
  for (const std::string_view text :
       {"label,a,b,c,d\r\n3,0,1,2,255\r\n1,4,5,6,7\r\n",
        "\xEF\xBB\xBFlabel,a,b,c,d\n3,0,1,2,255\n1,4,5,6,7",
        "\n\nlabel,a,b,c,d\n\n3,0,1,2,255\n  \n1,4,5,6,7\n\r\n\n",
        "label , a,b,c,d\n 3 , 0,1 ,\t2,255 \n1,4,5,6,7\n",
        "\"label\",\"a,x\",\"b\"\"\",\"c\nc\",d\n\"3\",0,\"1\" ,2,255\n1,4,5,6, \"7\"\n",
        "label;a;b;c;d\n3;0;1;2;255\n1;4;5;6;7\n",
        "label\ta\tb\tc\td\n3\t0\t1\t2\t255\n1\t4\t5\t6\t7\n", "3,0,1,2,255\n1,4,5,6,7\n",
        "a,b,label,c,d\n0,1,3,2,255\n4,5,1,6,7\n", "a,b,c,d,class\n0,1,2,255,3\n4,5,6,7,1\n",
        "class,0,1,2,3\n3,0,1,2,255\n1,4,5,6,7\n",
        "label,a,b,c,d\n3.0,0.0,1e0,2,255\n01,4,5,6,7\n"}) {
    CAPTURE(text);
    CHECK(checksum(Table(text).load()) == expected);
  }
  CHECK(checksum(Table("label|a|b|c|d\n3|0|1|2|255\n1|4|5|6|7\n").load({.separator = '|'})) ==
        expected);
}

TEST_CASE("words are classes, sorted, and their column is found") {
  const Dataset iris =
      Table("5.1,3.5,1.4,0.2,setosa\n6.3,3.3,6,2.5,virginica\n4.9,3,1.4,0.2,setosa\n").load();
  CHECK(iris.images.shape() == Shape{3, 1, 2, 2});
  CHECK(iris.images.dtype() == float32);
  CHECK(iris.images.at<float>({1, 0, 1, 1}) == 2.5F);
  CHECK(labels_of(iris) == Labels{0, 1, 0});
  CHECK(iris.class_names == Names{"setosa", "virginica"});
}

TEST_CASE("a header of numbers is told from a sample by the line below it") {
  const Dataset named = Table("label,0,1\n5,7,8\n").load();
  CHECK(named.size() == 1);
  const Dataset unnamed = Table("cat,0,1\ndog,7,8\n").load();
  CHECK(unnamed.size() == 2);
  CHECK(unnamed.class_names == Names{"cat", "dog"});
  CHECK(Table("5,0,1\n5,7,8\n").load({.header = true}).size() == 1);
  CHECK(Table("cat,0,1\n5,7,8\n").load({.header = false}).class_names == Names{"5", "cat"});
}

TEST_CASE("a first line that is damaged is no header: its sample would be lost without a word") {
  for (const std::string field : {"", "NA", "n/a", "NaN", "inf", "-inf", "null", "None", "?",
                                  "1e39", "0x10", "1.5.2", "--1", "12px", "-"}) {
    CAPTURE(field);
    CHECK(contains(Table("0," + field + ",2.5\n1,1.5,2.5\n").refusal(),
                   "line 1, column 1: '" + field + "' is not a finite number"));
    CHECK(Table("0," + field + ",2.5\n1,1.5,2.5\n").load({.header = true}).size() == 1);
    CHECK(Table("label," + field + ",a\n1,1.5,2.5\n").load().size() == 1);
  }
}

TEST_CASE("numbers may have a plus, and those too small are 0") {
  const Dataset signs = Table("+1,+2.5,+.5\n-1,4,1e-400\n1,+1e1,-1e-400\n").load();
  CHECK(signs.size() == 3);
  CHECK(signs.class_names == Names{"-1", "1"});
  CHECK(labels_of(signs) == Labels{1, 0, 1});
  CHECK(signs.images.at<float>({0, 0, 0, 0}) == 2.5F);
  CHECK(signs.images.at<float>({0, 0, 0, 1}) == 0.5F);
  CHECK(signs.images.at<float>({1, 0, 0, 1}) == 0.0F);
  CHECK(signs.images.at<float>({2, 0, 0, 0}) == 10.0F);
  CHECK(signs.images.at<float>({2, 0, 0, 1}) == 0.0F);
}

TEST_CASE("the column of the classes is what is asked for, by name before number") {
  const Table table("0,kind,2\n1,2,3\n4,5,6\n");
  CHECK(table.load({.label_column = "kind", .header = true}).class_names == Names{"2", "5"});
  CHECK(table.load({.label_column = "2", .header = true}).class_names == Names{"3", "6"});
  CHECK(table.load({.label_column = "0", .header = true}).class_names == Names{"1", "4"});
  CHECK(Table("1,2,3\n4,5,6\n").load({.label_column = "1"}).class_names == Names{"2", "5"});
  CHECK(contains(
      message_of<ValueError>([&] { table.load({.label_column = "sort", .header = true}); }),
      "no label_column 'sort' among 3 columns: '0', 'kind', '2'"));
  CHECK(contains(message_of<ValueError>([&] { table.load({.label_column = "3", .header = true}); }),
                 "no label_column '3' among 3 columns: '0', 'kind', '2'"));
  CHECK(contains(
      message_of<ValueError>([&] { Table("1,2,3\n4,5,6\n").load({.label_column = "-1"}); }),
      "among 3 columns, which have no names; their numbers are 0 to 2"));
  const Table wide("a,b,c,d,e,f,g,h,i\n1,2,3,4,5,6,7,8,9\n");
  CHECK(contains(message_of<ValueError>([&] { wide.load({.label_column = "z"}); }),
                 "among 9 columns: 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', ..."));
}

TEST_CASE("classes that are numbers are sorted as such, with gaps and below zero") {
  const Dataset dataset = Table("10,0\n9,0\n-1,0\n10.0,0\n").load();
  CHECK(labels_of(dataset) == Labels{2, 1, 0, 2});
  CHECK(dataset.class_names == Names{"-1", "9", "10"});
}

TEST_CASE("a test file takes the labels of its training file") {
  const Names names = Table("0,0\n1,0\n2,0\n").load().class_names;
  const Dataset test = Table("2.0,5\n0,6\n").load({.class_names = names});
  CHECK(labels_of(test) == Labels{2, 0});
  CHECK(test.classes == 3);
  CHECK(contains(Table("3,5\n").refusal({.class_names = names}),
                 "line 1: class '3' is none of the 3 given"));
  CHECK(contains(message_of<ValueError>([] {
                   Table("a,5\nb,6\n").load({.class_names = {"a", "a"}});
                 }),
                 "has a name twice: a, a"));
}

TEST_CASE("numbers that are no bytes make the whole table float32") {
  CHECK(Table("0,1,255\n1,2,256\n").load().images.dtype() == float32);
  CHECK(Table("0,1,-1\n").load().images.dtype() == float32);
  const Dataset dataset = Table("0,0.5,1e-3\n").load();
  CHECK(core::equal(dataset.images.flatten(), Tensor::from({0.5, 1e-3}, float32)));
}

TEST_CASE("a sample has the shape that is asked for, that of a square, or of a line") {
  CHECK(Table("0,1,2,3\n").load().images.shape() == Shape{1, 1, 1, 3});
  CHECK(Table("0,1,2,3,4,5,6,7,8,9\n").load().images.shape() == Shape{1, 1, 3, 3});
  CHECK(Table("0,1,2,3,4,5,6\n").load({.image_shape = {3, 1, 2}}).images.shape() ==
        Shape{1, 3, 1, 2});
  for (const Shape& shape : {Shape{3, 1, 1}, Shape{6}, Shape{-3, -1, 2}, Shape{1, 1, 2, 3},
                             Shape{std::int64_t{1} << 62, 4, 6}}) {
    CHECK(contains(
        message_of<ValueError>([&] { Table("0,1,2,3,4,5,6\n").load({.image_shape = shape}); }),
        "image_shape must be [C,H,W] of the 6 numbers of a line, got ["));
  }
}

TEST_CASE("a bad field is named with line and column and shown on one line") {
  CHECK(contains(Table("label,a\n1,2\n1,x\x01\x1by\n").refusal(),
                 "line 3, column 1: 'x??y' is not a finite number"));
  for (const std::string field :
       {"", "nan", "inf", "1e39", "0x10", "1 2", "1.5.2", "--1", "++1", "+-1", "+"}) {
    CAPTURE(field);
    CHECK(contains(Table("1,2\n1," + field + "\n").refusal(),
                   "line 2, column 1: '" + field + "' is not a finite number"));
  }
  const std::string message = Table("1,2\n1," + std::string(5000, 'z') + "\n").refusal();
  CHECK(message.size() < 300);
  CHECK(contains(Table("1,2\n1," + std::string(100'000, '1') + "\n").refusal(),
                 "field of more than 65536 bytes"));
}

TEST_CASE("every byte may stand in a field, and may part two") {
  for (int i = 1; i < 256; ++i) {
    CAPTURE(i);
    const char byte = static_cast<char>(i);
    const std::string text = std::string("1,2\n1,x") + byte + "y\n";
    CHECK(contains(Table(text).refusal({.separator = ','}), "line 2, column 1: "));
    if (std::string_view("1234 \"\r\n").find(byte) != std::string_view::npos) continue;
    const std::string parted = std::string("1") + byte + "2\n3" + byte + "4\n";
    CHECK(Table(parted).load({.separator = byte}).size() == 2);
  }
}

TEST_CASE("lines of another length are refused with both") {
  CHECK(contains(Table("1,2,3\n1,2\n").refusal(),
                 "line 2, column 1: the line has 2 columns, the first has 3"));
  CHECK(contains(Table("1,2,3\n1,2,3,4\n").refusal(),
                 "line 2, column 3: the line has 4 columns, the first has 3"));
  CHECK(contains(Table("1,2,3\n1,2,3,\n").refusal(), "the line has 4 columns, the first has 3"));
  CHECK(contains(Table("1,2,3\n1,2,3,4,5\n").refusal(),
                 "the line has at least 4 columns, the first has 3"));
  CHECK(contains(Table("label,a\n1,2,3\n").refusal(),
                 "line 2, column 2: the line has 3 columns, the first has 2"));
}

TEST_CASE("quotes that do not end, or end too early, are refused") {
  CHECK(contains(Table("1,2\n\"1,2\n3,4\n").refusal(),
                 "line 2, column 0: the quotes are not closed"));
  CHECK(contains(Table("1,2\n\"1\"x,2\n").refusal(),
                 "line 2, column 0: text follows the quotes: '1'"));
  CHECK(contains(Table("\"a\nb\",2\nc,x\n").refusal({.header = false}),
                 "line 1, column 0: class 'a?b'"));
  CHECK(contains(Table("\"la\nbel\",label\n1,2\nx,3\n").refusal(), "line 4, column 0: 'x'"));
}

TEST_CASE("classes that cannot be names are refused") {
  CHECK(contains(Table("1,2\n,3\n").refusal(), "line 2, column 0: the class is empty"));
  CHECK(contains(Table("1,2\n0.5,3\n").refusal(), "line 2: class '0.5' is no whole number"));
  CHECK(contains(Table("a,2\nb\xe9,3\n").refusal(), "of 2 bytes, it must be UTF-8"));
  for (const std::string bad :
       {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    CHECK(contains(Table("a,2\n" + bad + ",3\n").refusal(), "it must be UTF-8"));
  }
  const Names good = {"gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  CHECK(Table(good[0] + ",2\n" + good[1] + ",3\n" + good[2] + ",4\n").load().class_names == good);
  CHECK(contains(Table("a,2\n" + std::string(257, 'b') + ",3\n").refusal(), "of 257 bytes"));
  std::string many;
  for (int i = 0; i <= 65'536; ++i) many += std::to_string(i) + ",1\n";
  CHECK(contains(Table(many).refusal(),
                 "line 65537, column 0: class '65536' is one more than the 65536"));
}

TEST_CASE("a table without samples or without numbers is refused") {
  for (const std::string_view text : {"", "\n\n", "\xEF\xBB\xBF", "\r\n"}) {
    CHECK(contains(Table(text).refusal(), "has no samples"));
  }
  CHECK(contains(Table("label,a,b\n").refusal(), "has no samples, its only line is a header"));
  CHECK(contains(Table("1\n2\n").refusal(), "has 1 column separated by ','"));
  CHECK(contains(message_of<ValueError>([] { Table("1 2\n").load({.separator = ' '}); }),
                 "separator ' '"));
}

TEST_CASE("a packed table that takes too much memory is refused before it is taken") {
  const TemporaryFolder folder;
  std::string bytes;
  std::string text = "0,0.5";
  for (int i = 0; i < 1000; ++i) text += ",0";
  text += "\n";
  for (int i = 0; i < 20'000; ++i) bytes += text;  // 80 MB of float32, packed in 0.2
  write_gz(folder / "t", bytes);
  CHECK(contains(message_of<BadDataError>([&] { load_csv(folder / "t"); }), "may take at most"));
  write_bytes(folder / "t", bytes);
  CHECK(load_csv(folder / "t").size() == 20'000);
}

TEST_CASE("bytes behind a packed table are refused") {
  const TemporaryFolder folder;
  write_gz(folder / "t", std::string(small));
  write_bytes(folder / "u", read_bytes(folder / "t") + "1,2,3,4,5\n");
  CHECK(contains(message_of<BadDataError>([&] { load_csv(folder / "u"); }),
                 "10 bytes follow the gzip stream"));
}

TEST_CASE("a missing table is not found, a folder is not a file") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(load_csv(folder / "gone"), NotFoundError);
  CHECK(contains(message_of<IoError>([&] { load_csv(folder.path()); }), "is not a regular file"));
}

TEST_CASE("two thousand damaged tables, and those cut at any length, either load or are refused") {
  const TemporaryFolder folder;
  const std::string plain = "label,\"a\"\"\",b\r\n\"x\",0,1.5\ny;,-2,3e2\n\"z\n\",4,5\n";
  write_gz(folder / "packed", plain);
  const std::string packed = read_bytes(folder / "packed");
  Generator generator(11);
  int refused = 0;
  int loaded = 0;
  const auto attempt = [&](std::string_view bytes) {
    write_bytes(folder / "damaged", bytes);
    try {
      check_dataset(load_csv(folder / "damaged"));
      ++loaded;
    } catch (const Error& error) {
      CHECK(std::string_view(error.what()).find_first_of("\r\n\x1b") == std::string_view::npos);
      ++refused;
    }
  };
  for (const std::string& whole : {plain, packed}) {
    for (std::size_t length = 0; length < whole.size(); ++length) attempt(whole.substr(0, length));
  }
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = round % 4 == 0 ? packed : plain;
    for (std::int64_t flips = 1 + generator.below(2); flips > 0; --flips) {
      auto& byte = bytes[static_cast<std::size_t>(generator.below(std::ssize(bytes)))];
      byte = static_cast<char>(byte ^ (1 << generator.below(8)));
    }
    attempt(bytes);
  }
  CHECK(refused > 500);
  CHECK(loaded > 5);
}

TEST_CASE("a word among numbers above numbers makes neither a header nor a sample") {
  for (const std::string word : {"O", "x12", "lost"}) {
    CAPTURE(word);
    CHECK(contains(
        Table("0," + word + ",2.5,1\n1,1.5,2.5,3\n").refusal(),
        "line 1, column 1: a word above a number, among numbers: '0', '" + word + "', '2.5', '1'"));
  }
  for (const std::string gap : {"missing", "#N/A", "<NA>", "nil", "*"}) {
    CAPTURE(gap);
    CHECK(contains(Table("0," + gap + ",2.5\n1,1.5,2.5\n").refusal(),
                   "line 1, column 1: '" + gap + "' is not a finite number"));
  }
  CHECK(contains(Table("a,10,2,3,4\n1,5,6,7,8\n").refusal(), "a word above a number"));
  // An empty field is no column that was asked for.
  CHECK(contains(Table("0,,O,2.5\n1,1.5,2.5,3\n").refusal(), "line 1, column 2: a word above"));
  CHECK(Table("digit,1,2,3,4\n1,5,6,7,8\n").load().class_names == Names{"1"});
  CHECK(Table("label,10,7,2\n1,5,6,7\n").load().size() == 1);
}

TEST_CASE("columns that pandas has numbered are no sample") {
  const Dataset numbered = Table("0,1,2,3,4\n7,9,8,7,6\n5,4,3,2,1\n").load();
  CHECK(numbered.size() == 2);
  CHECK(numbered.class_names == Names{"5", "7"});
  CHECK(Table("0,1,2,3\n4,5,6,7\n").load().size() == 2);  // which go on with the next number
  CHECK(Table("0,1,2\n7,9,8\n").load().size() == 2);      // fewer than four may be a sample
  CHECK(Table("1,2,3,4\n7,9,8,1\n").load().size() == 2);
  CHECK(Table("0,1,2,3\n").load().size() == 1);
}

TEST_CASE("the label is found by its name in either case, and not guessed among other names") {
  CHECK(Table("a,b,Label\n1,2,7\n3,4,8\n").load().class_names == Names{"7", "8"});
  CHECK(Table("a,TARGET,b\n1,7,2\n3,8,4\n").load().class_names == Names{"7", "8"});
  CHECK(Table("class,label,b\n1,7,2\n3,8,4\n").load().class_names == Names{"7", "8"});
  CHECK(Table("a,b,c\n1,oak,2\n3,elm,4\n").load().class_names == Names{"elm", "oak"});
  const Table unclear("a,b,kind\n1,2,7\n3,4,8\n");
  CHECK(
      contains(unclear.refusal(), "no column is called label, class or target: 'a', 'b', 'kind'"));
  CHECK(unclear.load({.label_column = "kind"}).class_names == Names{"7", "8"});
  const Table with_rows(",label,a,b\n0,7,2,3\n1,8,4,5\n");
  CHECK(contains(with_rows.refusal(), "line 1, column 0: has no name"));
  CHECK(with_rows.load({.label_column = "0"}).classes == 2);
}
