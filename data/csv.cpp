// Four short passes at most: the first line for its separator, two lines for what the columns are, all
// lines for what they hold, all lines into the tensors. A field at a time is in memory.
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/words.h>
#include <gradus/data/csv.h>
#include <gradus/data/detail/files.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <type_traits>

namespace gradus {
namespace {

// ---- Text to fields ----

/// The fields of a table, one after the other; empty lines are passed over.
class CsvFields {
 public:
  CsvFields(const std::string& path, char separator)
      : file_("csv", path), separator_(static_cast<unsigned char>(separator)) {
    fill();
    if (std::string_view(buffer_.data(), filled_).starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  const detail::PackedFile& file() const { return file_; }

  /// Goes to the next field. False at the end of the file.
  bool next() {
    text_.clear();
    int c = get();
    while (is_space(c) || (ends_line_ && c == '\n')) {
      line_ += c == '\n';
      c = get();
    }
    if (ends_line_ && c == end) return false;
    column_ = ends_line_ ? 0 : column_ + 1;
    field_line_ = line_;
    c = c == '"' ? quoted() : plain(c);
    ends_line_ = c != separator_;
    line_ += c == '\n';
    return true;
  }

  const std::string& text() const { return text_; }
  /// Counted from 0.
  std::int64_t column() const { return column_; }
  /// Where the field begins, counted from 1.
  std::int64_t line() const { return field_line_; }
  /// Is this field the last of its line?
  bool ends_line() const { return ends_line_; }

  /// Throws BadDataError that names the field.
  template <class... Parts> [[noreturn]] void refuse(const Parts&... parts) const {
    fail<BadDataError>(file_.label(), ": line ", field_line_, ", column ", column_, ": ", parts...);
  }

 private:
  static constexpr int end = -1;

  /// Is it what does not count before and behind a field?
  bool is_space(int c) const { return c != separator_ && (c == ' ' || c == '\t' || c == '\r'); }

  void fill() {
    filled_ = static_cast<std::size_t>(file_.read(buffer_.data(), std::ssize(buffer_)));
    at_ = 0;
  }

  int get() {
    if (at_ == filled_) fill();
    return at_ == filled_ ? end : static_cast<unsigned char>(buffer_[at_++]);
  }

  void take(std::string_view more) {
    constexpr std::size_t longest = 1 << 16;
    if (text_.size() + more.size() > longest) {
      refuse("field of more than ", longest, " bytes: ", in_quotes(text_.empty() ? more : text_));
    }
    text_ += more;
  }

  bool is_end(int c) const { return c == separator_ || c == '\n' || c == end; }

  /// A field without quotes, from its first character on: as much at a time as is in the buffer. These
  /// two return what stands behind the field.
  int plain(int c) {
    while (!is_end(c)) {
      const auto rest = std::string_view(buffer_.data(), filled_).substr(at_ - 1);
      const auto stop =
          std::ranges::find_if(rest, [this](unsigned char next) { return is_end(next); });
      const auto length = static_cast<std::size_t>(stop - rest.begin());
      take(rest.substr(0, length));
      at_ += length - 1;
      c = get();
    }
    const std::size_t last = text_.find_last_not_of(" \t\r");
    text_.resize(last == std::string::npos ? 0 : last + 1);
    return c;
  }

  int quoted() {
    for (;;) {
      int c = get();
      if (c == '"') {
        c = get();
        if (c != '"') return after_quotes(c);
      }
      if (c == end) refuse("the quotes are not closed: ", in_quotes(text_));
      line_ += c == '\n';
      const char byte = static_cast<char>(c);
      take({&byte, 1});
    }
  }

  int after_quotes(int c) {
    while (is_space(c)) c = get();
    if (c != separator_ && c != '\n' && c != end)
      refuse("text follows the quotes: ", in_quotes(text_));
    return c;
  }

  detail::PackedFile file_;
  int separator_;
  std::array<char, 1 << 16> buffer_{};
  std::size_t filled_ = 0;
  std::size_t at_ = 0;
  std::string text_;
  bool ends_line_ = true;
  std::int64_t line_ = 1;
  std::int64_t field_line_ = 1;
  std::int64_t column_ = 0;
};

/// Whichever of , ; and tab the first line, or as much of it as is read at a time, has most of.
char guessed_separator(const std::string& path) {
  detail::PackedFile file("csv", path);
  std::string start(1 << 16, '\0');
  start.resize(static_cast<std::size_t>(file.read(start.data(), std::ssize(start))));
  const std::size_t first = std::min(start.find_first_not_of("\r\n"), start.size());
  const std::string_view line =
      std::string_view(start).substr(first, start.find('\n', first) - first);
  constexpr std::string_view candidates = ",;\t";
  return *std::ranges::max_element(candidates, {},
                                   [&](char c) { return std::ranges::count(line, c); });
}

// ---- Fields to numbers ----

/// A number that float32 holds, and nothing around it; one too small for it is 0.
std::optional<double> number_in(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    long double wide = 0;
    error = std::from_chars(text.data(), stop, wide).ec;
    value = static_cast<double>(wide);
  }
  const bool whole_text = error == std::errc() && stop == text.data() + text.size();
  if (!whole_text || !std::isfinite(static_cast<float>(value))) return std::nullopt;
  return value;
}

/// The number in most fields of most tables: one to three digits.
std::optional<double> pixel_in(std::string_view text) {
  if (text.empty() || text.size() > 3) return number_in(text);
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return number_in(text);
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<std::int64_t> whole_number_in(std::string_view text) {
  constexpr double exact = 0x1p53;  // doubles below it hold every integer
  const std::optional<double> value = number_in(text);
  if (!value || std::fabs(*value) >= exact || *value != std::floor(*value)) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

// ---- What the columns are ----

/// Are they the same but for capitals?
bool same_word(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
  return std::ranges::equal(a, b, {}, small, small);
}

/// May a column or a class be called so? Not like a number, be it a damaged one, nor like one that is missing: a
/// sample that is taken for names would be lost in silence.
bool is_word(std::string_view text) {
  constexpr std::array gaps{"na",   "n/a",  "nan", "#n/a", "<na>",    "inf", "infinity",
                            "null", "none", "nil", "?",    "missing", "#",   "*"};
  if (text.empty() ||
      std::string_view("0123456789+-.").find(text.front()) != std::string_view::npos)
    return false;
  return std::ranges::none_of(gaps, [&](std::string_view gap) { return same_word(text, gap); });
}

struct CsvLayout {
  char separator = ',';
  bool header = false;
  std::int64_t columns = 0;
  std::int64_t label_column = 0;
};

/// Names of columns that hold classes, the surest first.
constexpr std::array label_names{"label", "class", "target"};

/// One of the first two lines: which fields are numbers or words, and where names stand that count.
struct CsvLine {
  std::vector<double> numbers;  // NaN where there is none
  std::vector<bool> is_word;
  std::optional<std::int64_t> wanted;  // the column that was asked for
  std::array<std::optional<std::int64_t>, label_names.size()> labels;
  std::vector<std::string> first_texts;  // to be told in a message

  std::int64_t size() const { return std::ssize(numbers); }
  bool is_number(std::int64_t i) const {
    return i < size() && !std::isnan(numbers[static_cast<std::size_t>(i)]);
  }
  std::int64_t words() const { return std::ranges::count(is_word, true); }
  /// The first fields, for a message.
  std::string texts() const {
    return joined(first_texts) + (std::ssize(first_texts) < size() ? ", ..." : "");
  }
};

CsvLine read_csv_line(CsvFields& fields, const std::string& wanted) {
  constexpr std::int64_t most_columns = 1 << 24;
  constexpr std::size_t most_told = 8;
  CsvLine line;
  while (fields.next()) {
    const std::string& text = fields.text();
    if (fields.column() == most_columns) fields.refuse("more than ", most_columns, " columns");
    line.numbers.push_back(number_in(text).value_or(std::numeric_limits<double>::quiet_NaN()));
    line.is_word.push_back(is_word(text));
    if (line.first_texts.size() < most_told) line.first_texts.push_back(in_quotes(text, 40));
    if (!wanted.empty() && text == wanted && !line.wanted) line.wanted = fields.column();
    for (std::size_t k = 0; k < label_names.size(); ++k) {
      if (!line.labels[k] && same_word(text, label_names[k])) line.labels[k] = fields.column();
    }
    if (fields.ends_line()) break;
  }
  return line;
}

/// Does each number of a line exceed the one before by 1, as those of columns do? Two at least.
bool counts_up(const CsvLine& line) {
  double last = std::numeric_limits<double>::quiet_NaN();
  int steps = 0;
  for (const double number : line.numbers) {
    if (std::isnan(number)) continue;
    if (!std::isnan(last) && number != last + 1) return false;
    steps += !std::isnan(last);
    last = number;
  }
  return steps > 0;
}

/// Are its columns called 0, 1, 2, .., as by pandas where they have no names? Fewer than four may be a sample, and so
/// may be what the second line goes on with.
bool numbers_columns(const CsvLine& first, const CsvLine& second) {
  constexpr std::int64_t enough = 4;
  const std::int64_t count = first.size();
  for (std::int64_t i = 0; i < count; ++i) {
    if (first.numbers[static_cast<std::size_t>(i)] != static_cast<double>(i)) return false;
  }
  return count >= enough && second.size() > 0 && second.numbers[0] != static_cast<double>(count);
}

/// Has the first line names? Throws BadDataError where it is neither a line of names nor a sample.
bool is_header(const std::string& label, const CsvLine& first, const CsvLine& second) {
  const auto names_label = [](const auto& column) { return column.has_value(); };
  for (std::int64_t i = 0; i < first.size(); ++i) {
    const bool number_below = second.size() == 0 || second.is_number(i);
    if (!first.is_word[static_cast<std::size_t>(i)] || !number_below) continue;
    const auto is_number = [](double number) { return !std::isnan(number); };
    const bool only_names = std::ranges::none_of(first.numbers, is_number);
    if (only_names || first.wanted || counts_up(first) ||
        std::ranges::any_of(first.labels, names_label))
      return true;
    fail<BadDataError>(label, ": line 1, column ", i,
                       ": a word above a number, among numbers: ", first.texts(),
                       "; a line of names has no numbers, a sample no words but its class");
  }
  if (!numbers_columns(first, second)) return false;
  log_warn(label + ": the first line, 0 to " + std::to_string(first.size() - 1) +
           ", is taken for the numbers of the columns, not for a sample");
  return true;
}

std::int64_t label_column_of(const std::string& label, const CsvLine& names, const CsvLine& values,
                             const std::string& wanted) {
  if (!wanted.empty()) {
    if (names.wanted) return *names.wanted;
    const auto number = whole_number_in(wanted);
    if (number && *number >= 0 && *number < values.size()) return *number;
    const std::int64_t columns = values.size();
    fail<ValueError>(label, ": no label_column ", in_quotes(wanted), " among ", columns, " columns",
                     names.size() == 0
                         ? text_of(", which have no names; their numbers are 0 to ", columns - 1)
                         : text_of(": ", names.texts()));
  }
  for (const auto& column : names.labels)
    if (column) return *column;
  const auto first_word = [](const CsvLine& line) {
    return std::ranges::find(line.is_word, true) - line.is_word.begin();
  };
  if (values.words() > 0) return first_word(values);
  if (names.words() == 0) return 0;
  if (names.words() == 1) return first_word(names);  // the others have numbers
  fail<BadDataError>(label, ": no column is called ", "label, class or target: ", names.texts(),
                     "; --label-column (CsvOptions::label_column) says which has the classes");
}

CsvLayout read_layout(const std::string& path, const CsvOptions& options) {
  if (options.separator != '\0' &&
      std::string_view(" \"\r\n").find(options.separator) != std::string_view::npos) {
    fail<ValueError>("csv: separator ", in_quotes({&options.separator, 1}),
                     " has a meaning of its own in a table; use , ; tab or the like");
  }
  CsvLayout layout;
  layout.separator = options.separator == '\0' ? guessed_separator(path) : options.separator;
  CsvFields fields(path, layout.separator);
  const std::string& label = fields.file().label();
  const CsvLine first = read_csv_line(fields, options.label_column);
  const CsvLine second = read_csv_line(fields, options.label_column);
  layout.header = options.header ? *options.header : is_header(label, first, second);
  const CsvLine& values = layout.header ? second : first;
  if (values.size() == 0) {
    fail<BadDataError>(label, ": has no samples",
                       first.size() == 0 ? "" : ", its only line is a header");
  }
  layout.columns = first.size();
  if (layout.columns < 2) {
    fail<BadDataError>(label, ": has ", layout.columns, " column separated by ",
                       in_quotes({&layout.separator, 1}), ", a class and its numbers take 2");
  }
  layout.label_column =
      label_column_of(label, layout.header ? first : CsvLine(), values, options.label_column);
  const bool has_row_numbers = layout.header && first.words() > 0 && first.first_texts[0] == "''";
  if (has_row_numbers && layout.label_column != 0) {
    fail<BadDataError>(label,
                       ": line 1, column 0: has no name, as row numbers that pandas writes; "
                       "without them (to_csv(index=False)) the others are the numbers of a sample");
  }
  return layout;
}

// ---- What the lines hold ----

/// Calls `on_label` and `on_number(value)` for the fields of each sample, and `on_sample` behind it.
template <class OnLabel, class OnNumber, class OnSample>
void for_each_sample(CsvFields& fields, const CsvLayout& layout, const OnLabel& on_label,
                     const OnNumber& on_number, const OnSample& on_sample) {
  bool in_header = layout.header;
  while (fields.next()) {
    if (fields.column() == layout.columns ||
        (fields.ends_line() && fields.column() + 1 < layout.columns)) {
      fields.refuse("the line has ", fields.ends_line() ? "" : "at least ", fields.column() + 1,
                    " columns, the first has ", layout.columns);
    }
    if (!in_header) {
      if (fields.column() == layout.label_column) {
        on_label();
      } else {
        const auto value = pixel_in(fields.text());
        if (!value) fields.refuse(in_quotes(fields.text()), " is not a finite number");
        on_number(*value);
      }
      if (fields.ends_line()) on_sample();
    }
    in_header = in_header && !fields.ends_line();
  }
}

using CsvClasses = std::map<std::string, std::int64_t>;

/// What stands in a table: how many samples, whether bytes hold their numbers, and each class with the
/// line where it is met first.
struct CsvSurvey {
  std::int64_t samples = 0;
  bool bytes = true;
  CsvClasses classes;

  /// Of a sample's numbers and its label.
  std::int64_t memory(std::int64_t numbers) const {
    return samples * (numbers * size_of(bytes ? uint8 : float32) + size_of(int64));
  }
};

void note_class(const CsvFields& fields, CsvClasses& classes) {
  constexpr std::size_t most_classes = 1 << 16;
  constexpr std::size_t longest_name = 256;
  const std::string& name = fields.text();
  if (classes.contains(name)) return;
  if (name.empty()) fields.refuse("the class is empty");
  if (name.size() > longest_name || printable(name) != name || !is_utf8(name)) {
    fields.refuse("class ", in_quotes(name), " of ", name.size(),
                  " bytes, it must be UTF-8 without control characters, of at most ", longest_name);
  }
  if (classes.size() == most_classes) {
    fields.refuse("class ", in_quotes(name), " is one more than the ", most_classes,
                  " that are read");
  }
  classes.emplace(name, fields.line());
}

CsvSurvey survey(const std::string& path, const CsvLayout& layout) {
  CsvFields fields(path, layout.separator);
  CsvSurvey result;
  const auto on_label = [&] { note_class(fields, result.classes); };
  const auto on_number = [&](double value) {
    result.bytes = result.bytes && value >= 0 && value <= 255 && value == std::floor(value);
  };
  const auto on_sample = [&] {
    ++result.samples;
    fields.file().check_room("a table so long", 0, result.memory(layout.columns - 1));
  };
  for_each_sample(fields, layout, on_label, on_number, on_sample);
  return result;
}

/// The labels of the classes met, whose names go to `names` in the order of the labels.
CsvClasses sorted_classes(const std::string& label, const CsvClasses& met,
                          std::vector<std::string>& names) {
  const bool numbers =
      std::ranges::all_of(met, [](const auto& c) { return number_in(c.first).has_value(); });
  CsvClasses labels;
  if (!numbers) {
    for (const auto& entry : met) {
      labels.emplace(entry.first, std::ssize(names));
      names.push_back(entry.first);
    }
    return labels;
  }
  std::map<std::int64_t, std::vector<std::string>> by_value;  // 7, 07 and 7.0 are one class
  for (const auto& [name, line] : met) {
    const auto value = whole_number_in(name);
    if (!value) {
      fail<BadDataError>(label, ": line ", line, ": class ", in_quotes(name),
                         " is no whole number, as the others are; a class is one, or a word");
    }
    by_value[*value].push_back(name);
  }
  for (const auto& [value, spellings] : by_value) {
    for (const std::string& name : spellings) labels.emplace(name, std::ssize(names));
    names.push_back(std::to_string(value));
  }
  return labels;
}

/// The same where the classes are given.
CsvClasses given_classes(const std::string& label, const CsvClasses& met,
                         const std::vector<std::string>& names) {
  CsvClasses given;
  for (const std::string& name : names) given.emplace(name, std::ssize(given));
  if (given.size() != names.size())
    fail<ValueError>(label, ": class_names has a name twice: ", joined(names));
  CsvClasses labels;
  for (const auto& [name, line] : met) {
    auto found = given.find(name);
    const auto value = whole_number_in(name);
    if (found == given.end() && value) found = given.find(std::to_string(*value));
    if (found == given.end()) {
      fail<BadDataError>(label, ": line ", line, ": class ", in_quotes(name), " is none of the ",
                         names.size(), " given");
    }
    labels.emplace(name, found->second);
  }
  return labels;
}

// ---- Into tensors ----

/// [1,C,H,W] of one sample of `numbers` numbers.
Shape image_shape_of(const std::string& label, std::int64_t numbers, const Shape& wanted) {
  if (!wanted.empty()) {
    const bool positive =
        std::ranges::all_of(wanted, [&](auto s) { return s >= 1 && s <= numbers; });
    if (wanted.rank() != 3 || !positive || wanted.numel() != numbers) {
      fail<ValueError>(label, ": image_shape must be [C,H,W] of the ", numbers,
                       " numbers of a line, got ", wanted);
    }
    return {1, wanted[0], wanted[1], wanted[2]};
  }
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(numbers))));
  return side * side == numbers ? Shape{1, 1, side, side} : Shape{1, 1, 1, numbers};
}

template <class Pixel>
void fill_tensors(CsvFields& fields, const CsvLayout& layout, const CsvClasses& classes,
                  Dataset& dataset) {
  auto* pixel = dataset.images.data<Pixel>();
  auto* label = dataset.labels.data<std::int64_t>();
  const Pixel* pixels_end = pixel + dataset.images.numel();
  const std::int64_t* labels_end = label + dataset.labels.numel();
  const auto changed = [&] { fields.refuse("the file was changed while it was read"); };
  const auto on_label = [&] {
    const auto found = classes.find(fields.text());
    if (found == classes.end() || label == labels_end) changed();
    *label++ = found->second;
  };
  const auto on_number = [&](double value) {
    const auto number =
        static_cast<Pixel>(std::is_same_v<Pixel, float> ? value : std::clamp(value, 0.0, 255.0));
    if (pixel == pixels_end) changed();
    *pixel++ = number;
  };
  for_each_sample(fields, layout, on_label, on_number, [] {});
  if (pixel != pixels_end || label != labels_end) changed();
}

}  // namespace

Dataset load_csv(const std::string& path, const CsvOptions& options) {
  const CsvLayout layout = read_layout(path, options);
  const CsvSurvey found = survey(path, layout);
  CsvFields fields(path, layout.separator);
  const std::string& label = fields.file().label();
  Shape shape = image_shape_of(label, layout.columns - 1, options.image_shape);
  shape[0] = found.samples;
  Dataset dataset{.name = path.substr(path.rfind('/') + 1),
                  .images = Tensor::empty(shape, found.bytes ? uint8 : float32),
                  .labels = Tensor::empty({found.samples}, int64)};
  dataset.class_names = options.class_names;
  const CsvClasses classes = options.class_names.empty()
                                 ? sorted_classes(label, found.classes, dataset.class_names)
                                 : given_classes(label, found.classes, options.class_names);
  dataset.classes = std::ssize(dataset.class_names);
  if (found.bytes) {
    fill_tensors<std::uint8_t>(fields, layout, classes, dataset);
  } else {
    fill_tensors<float>(fields, layout, classes, dataset);
  }
  return dataset;
}

}  // namespace gradus
