// Counting, divisions that may have no result, and columns of text.
#include "confusion.h"

#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace gradus::app {
namespace {

void check_classes(const char* which, const Tensor& classes_of, std::int64_t classes) {
  if (!classes_of.defined()) fail<ValueError>("classification_report: ", which, " are undefined");
  if (classes_of.dtype() != int64)
    fail<DTypeError>("classification_report: ", which, " must be int64, got ", classes_of.dtype());
  if (classes_of.rank() != 1)
    fail<ShapeError>("classification_report: ", which, " must be [N], got ", classes_of.shape());
  for (const std::int64_t k : classes_of.to_vector<std::int64_t>()) {
    if (k < 0 || k >= classes)
      fail<ValueError>("classification_report: ", which, " must be 0 to ", classes - 1, ", got ",
                       k);
  }
}

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// Bytes 10xxxxxx go on with the character before.
bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

std::size_t characters_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

/// At most `most` characters, none that a terminal obeys.
std::string cut_to(const std::string& text, std::size_t most) {
  std::string result;
  std::size_t characters = 0;
  for (const char c : text) {
    if (begins_character(c) && ++characters > most) break;
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    result += control ? '?' : c;
  }
  return result;
}

/// Not by the library's width, which counts some characters as two.
std::string to_the_right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, characters_of(text)), ' ') + text;
}

std::vector<std::string> all_cut_to(std::vector<std::string> names, std::size_t longest) {
  for (std::string& name : names) name = cut_to(name, longest);
  return names;
}

std::size_t widest_of(const std::vector<std::string>& texts) {
  std::size_t width = 0;
  for (const std::string& text : texts) width = std::max(width, characters_of(text));
  return width;
}

/// A row for each true class.
std::string matrix_text(const ClassificationReport& report, const std::vector<std::string>& labels,
                        const std::vector<std::string>& names) {
  constexpr std::size_t longest_head = 6;
  const std::vector<std::string> heads = all_cut_to(names, longest_head);
  std::vector<std::string> numbers;
  for (const std::int64_t count : report.counts.to_vector<std::int64_t>())
    numbers.push_back(std::to_string(count));
  const std::size_t first = std::max(widest_of(labels), std::size_t{5});
  const std::size_t width = std::max(widest_of(heads), widest_of(numbers)) + 1;
  std::string text =
      to_the_right("true", first) + " | predicted\n" + std::string(first, ' ') + " |";
  for (const std::string& head : heads) text += to_the_right(head, width);
  text += '\n' + std::string(first + 1, '-') + '+' + std::string(width * labels.size(), '-') + '\n';
  for (std::size_t row = 0; row < labels.size(); ++row) {
    text += to_the_right(labels[row], first) + " |";
    for (std::size_t column = 0; column < labels.size(); ++column)
      text += to_the_right(numbers[row * labels.size() + column], width);
    text += '\n';
  }
  return text;
}

std::string pairs_text(const ClassificationReport& report, const std::vector<std::string>& labels) {
  constexpr std::size_t most = 10;
  const std::vector<ConfusedPair> pairs = most_confused(report, most);
  if (pairs.empty()) return "no class was taken for another\n";
  const std::size_t width = std::max(widest_of(labels), std::size_t{9});
  std::string text = "the most confused:\n" + to_the_right("true", width) + "  " +
                     to_the_right("predicted", width) + "    count\n";
  for (const ConfusedPair& pair : pairs) {
    text += to_the_right(labels[static_cast<std::size_t>(pair.truth)], width) + "  " +
            to_the_right(labels[static_cast<std::size_t>(pair.predicted)], width) +
            fmt::format(" {:>8}\n", pair.count);
  }
  return text;
}

std::string score_text(const std::optional<double>& score) {
  return score ? fmt::format("{:.4f}", *score) : "-";
}

std::string scores_text(const ClassificationReport& report,
                        const std::vector<std::string>& labels) {
  const std::size_t width = std::max(widest_of(labels), std::size_t{5});
  std::string text =
      to_the_right("class", width) +
      fmt::format(" {:>10} {:>8} {:>8} {:>9}\n", "precision", "recall", "f1", "support");
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const ClassScores& scores = report.classes[k];
    text += to_the_right(labels[k], width) +
            fmt::format(" {:>10} {:>8} {:>8} {:>9}\n", score_text(scores.precision),
                        score_text(scores.recall), score_text(scores.f1), scores.support);
  }
  return text + to_the_right("all", width) +
         fmt::format("  accuracy {:.4f} {:>21}\n", report.accuracy, report.samples());
}

}  // namespace

std::int64_t ClassificationReport::samples() const {
  std::int64_t all = 0;
  for (const ClassScores& scores : classes) all += scores.support;
  return all;
}

ClassificationReport classification_report(const Tensor& labels, const Tensor& predictions,
                                           std::int64_t classes) {
  constexpr std::int64_t most_classes = 4096;
  if (classes < 1 || classes > most_classes)
    fail<ValueError>("classification_report: classes must be 1 to ", most_classes, ", got ",
                     classes);
  check_classes("labels", labels, classes);
  check_classes("predictions", predictions, classes);
  if (labels.shape() != predictions.shape())
    fail<ShapeError>("classification_report: labels and predictions must be as many, got ",
                     labels.shape(), " and ", predictions.shape());
  if (labels.numel() == 0)
    fail<ValueError>("classification_report: expects at least 1 label, got 0");

  ClassificationReport report{.counts = zeros({classes, classes}, int64)};
  std::int64_t* counts = report.counts.data<std::int64_t>();
  const std::vector<std::int64_t> truth = labels.to_vector<std::int64_t>();
  const std::vector<std::int64_t> predicted = predictions.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < truth.size(); ++i) ++counts[truth[i] * classes + predicted[i]];

  std::int64_t all_right = 0;
  for (std::int64_t k = 0; k < classes; ++k) {
    const std::int64_t right = counts[k * classes + k];
    std::int64_t are = 0;
    std::int64_t taken = 0;
    for (std::int64_t other = 0; other < classes; ++other) {
      are += counts[k * classes + other];
      taken += counts[other * classes + k];
    }
    report.classes.push_back({.precision = share(right, taken),
                              .recall = share(right, are),
                              .f1 = share(2 * right, are + taken),
                              .support = are});
    all_right += right;
  }
  report.accuracy = *share(all_right, labels.numel());
  return report;
}

std::vector<ConfusedPair> most_confused(const ClassificationReport& report, std::size_t most) {
  const std::vector<std::int64_t> counts = report.counts.to_vector<std::int64_t>();
  const std::int64_t classes = std::ssize(report.classes);
  std::vector<ConfusedPair> pairs;
  for (std::int64_t i = 0; i < classes * classes; ++i) {
    const ConfusedPair pair{i / classes, i % classes, counts[static_cast<std::size_t>(i)]};
    if (pair.truth != pair.predicted && pair.count > 0) pairs.push_back(pair);
  }
  std::ranges::stable_sort(pairs, std::ranges::greater(), &ConfusedPair::count);
  if (pairs.size() > most) pairs.resize(most);
  return pairs;
}

std::vector<std::string> class_names(const ClassificationReport& report,
                                     const std::vector<std::string>& names) {
  const std::size_t classes = report.classes.size();
  if (!names.empty() && names.size() != classes)
    fail<ValueError>("classification_report: expects no names or one for each of ", classes,
                     " classes, got ", names.size());
  std::vector<std::string> all = names;
  for (std::size_t k = all.size(); k < classes; ++k) all.push_back(std::to_string(k));
  return all;
}

std::string to_text(const ClassificationReport& report, const std::vector<std::string>& names) {
  constexpr std::size_t most_in_matrix = 20;
  constexpr std::size_t longest_label = 20;
  const std::vector<std::string> all = class_names(report, names);
  const std::vector<std::string> labels = all_cut_to(all, longest_label);
  const std::string first =
      all.size() <= most_in_matrix ? matrix_text(report, labels, all) : pairs_text(report, labels);
  return first + '\n' + scores_text(report, labels);
}

}  // namespace gradus::app
