// Confusion matrices: numbers by hand, what has no value, and the tables.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <app/confusion.h>
#include <app/json.h>
#include <support/error_message.h>

namespace app = gradus::app;
using app::ClassificationReport;
using app::ClassScores;
using gradus::DTypeError;
using gradus::int64;
using gradus::Shape;
using gradus::ShapeError;
using gradus::Tensor;
using gradus::ValueError;
using gradus::zeros;

namespace {

/// Four classes: of five 0s three are found, of three 1s all, of two 2s none; nothing is a 3 or is taken for
/// one, and nothing is taken for a 2.
ClassificationReport hand_made_report() {
  return app::classification_report(Tensor::from({0, 0, 0, 0, 0, 1, 1, 1, 2, 2}),
                                    Tensor::from({0, 0, 0, 1, 1, 1, 1, 1, 0, 1}), 4);
}

/// A class for each label, each right but for `wrong` of class 0 that are taken for class 1.
ClassificationReport report_of_many(std::int64_t classes, std::int64_t wrong) {
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> predictions;
  for (std::int64_t k = 0; k < classes; ++k) {
    labels.push_back(k);
    predictions.push_back(k);
  }
  for (std::int64_t i = 0; i < wrong; ++i) {
    labels.push_back(0);
    predictions.push_back(1);
  }
  const Shape all{std::ssize(labels)};
  return app::classification_report(Tensor::from(labels.data(), all),
                                    Tensor::from(predictions.data(), all), classes);
}

}  // namespace

namespace {

/// As eval prints it.
nlohmann::json report_in_json(const gradus::app::ClassificationReport& report,
                              const std::vector<std::string>& names) {
  gradus::app::RunRecord run;
  run.class_names = names;
  return nlohmann::json::parse(gradus::app::to_result_json(run, "run", &report)).at("report");
}

}  // namespace

TEST_CASE("a report counts rows of truth and columns of predictions") {
  const ClassificationReport report = hand_made_report();
  CHECK(report.counts.shape() == Shape{4, 4});
  CHECK(report.counts.to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{3, 2, 0, 0, 0, 3, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0});
  CHECK(report.samples() == 10);
  CHECK(report.accuracy == 0.6);
}

TEST_CASE("precision, recall and f1 are those of a calculation by hand") {
  const std::vector<ClassScores> classes = hand_made_report().classes;
  REQUIRE(classes.size() == 4);
  CHECK(classes[0].precision == 0.75);              // 3 of the 4 taken for a 0
  CHECK(classes[0].recall == 0.6);                  // 3 of 5
  CHECK(classes[0].f1 == doctest::Approx(2. / 3));  // 2·0.75·0.6 / 1.35
  CHECK(classes[0].support == 5);
  CHECK(classes[1].precision == 0.5);  // 3 of 6
  CHECK(classes[1].recall == 1.0);
  CHECK(classes[1].f1 == doctest::Approx(2. / 3));  // 2·0.5·1 / 1.5
  CHECK(classes[1].support == 3);
}

TEST_CASE("what would divide by 0 has no value, and is not 0") {
  const std::vector<ClassScores> classes = hand_made_report().classes;
  CHECK(!classes[2].precision);  // never predicted
  CHECK(classes[2].recall == 0.0);
  CHECK(classes[2].f1 == 0.0);
  CHECK(classes[2].support == 2);
  CHECK(!classes[3].precision);
  CHECK(!classes[3].recall);  // never there
  CHECK(!classes[3].f1);
  CHECK(classes[3].support == 0);
}

TEST_CASE("the most confused pairs come first, equals in the order of classes") {
  const auto pairs = app::most_confused(hand_made_report(), 10);
  REQUIRE(pairs.size() == 3);
  CHECK((pairs[0].truth == 0 && pairs[0].predicted == 1 && pairs[0].count == 2));
  CHECK((pairs[1].truth == 2 && pairs[1].predicted == 0 && pairs[1].count == 1));
  CHECK((pairs[2].truth == 2 && pairs[2].predicted == 1 && pairs[2].count == 1));
  CHECK(app::most_confused(hand_made_report(), 1).size() == 1);
  CHECK(app::most_confused(report_of_many(3, 0), 10).empty());
}

TEST_CASE("the tables are aligned, with a dash for what has no value") {
  CHECK(to_text(hand_made_report(), {"cat", "dog", "automobile", "b\xc3\xa4r"}) ==
        "      true | predicted\n"
        "           |    cat    dog automo    b\xc3\xa4r\n"
        "-----------+----------------------------\n"
        "       cat |      3      2      0      0\n"
        "       dog |      0      3      0      0\n"
        "automobile |      1      1      0      0\n"
        "       b\xc3\xa4r |      0      0      0      0\n"
        "\n"
        "     class  precision   recall       f1   support\n"
        "       cat     0.7500   0.6000   0.6667         5\n"
        "       dog     0.5000   1.0000   0.6667         3\n"
        "automobile          -   0.0000   0.0000         2\n"
        "       b\xc3\xa4r          -        -        -         0\n"
        "       all  accuracy 0.6000                    10\n");
}

TEST_CASE("without names the classes are numbers, and large counts widen the columns") {
  const std::string text = to_text(report_of_many(2, 123456));
  CHECK(contains(text,
                 "      |      0      1\n"
                 "------+--------------\n"
                 "    0 |      1 123456\n"
                 "    1 |      0      1\n"));
}

TEST_CASE("more than 20 classes have no matrix, but the pairs that are confused") {
  CHECK(contains(to_text(report_of_many(20, 3)), "true | predicted"));
  const std::string text = to_text(report_of_many(21, 3));
  CHECK(!contains(text, "true | predicted"));
  CHECK(contains(text,
                 "the most confused:\n"
                 "     true  predicted    count\n"
                 "        0          1        3\n"));
  CHECK(contains(text, "    0     1.0000   0.2500   0.4000         4\n"));
  CHECK(contains(to_text(report_of_many(21, 0)), "no class was taken for another\n"));
}

TEST_CASE("a terminal finds nothing to obey in a name, and a long one is cut") {
  const std::string text = to_text(report_of_many(1, 0), {"\x1b[2J\n" + std::string(100, 'x')});
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(contains(text, "?[2J?" + std::string(15, 'x') + " |"));
  CHECK(std::ranges::count(text, '\n') == 8);
}

TEST_CASE("a report as JSON has null for what has no value") {
  const auto parsed = report_in_json(hand_made_report(), {"a", "b", "c", "d"});
  CHECK(parsed.at("accuracy") == 0.6);
  CHECK(parsed.at("samples") == 10);
  CHECK(parsed.at("counts") ==
        nlohmann::json({{3, 2, 0, 0}, {0, 3, 0, 0}, {1, 1, 0, 0}, {0, 0, 0, 0}}));
  CHECK(parsed.at("classes").size() == 4);
  CHECK(parsed.at("classes").at(0).at("name") == "a");
  CHECK(parsed.at("classes").at(0).at("precision") == 0.75);
  CHECK(parsed.at("classes").at(0).at("recall") == 0.6);
  CHECK(parsed.at("classes").at(0).at("support") == 5);
  CHECK(parsed.at("classes").at(2).at("precision").is_null());
  CHECK(parsed.at("classes").at(2).at("f1") == 0);
  CHECK(parsed.at("classes").at(3).at("f1").is_null());
  CHECK(report_in_json(report_of_many(2, 0), {}).at("classes").at(1).at("name") == "1");
}

TEST_CASE("classification_report refuses what does not fit, with both values") {
  const Tensor two = Tensor::from({0, 1});
  const auto refused = [&](auto call) { return message_of<ValueError>(call); };
  CHECK(contains(refused([&] {
                   app::classification_report(two, Tensor::from({0, 2}), 2);
                 }),
                 "predictions must be 0 to 1, got 2"));
  CHECK(contains(refused([&] {
                   app::classification_report(Tensor::from({0, -1}), two, 2);
                 }),
                 "labels must be 0 to 1, got -1"));
  CHECK(contains(refused([&] { app::classification_report(two, two, 0); }), "1 to 4096, got 0"));
  CHECK(contains(refused([&] { app::classification_report(two, two, 4097); }), "got 4097"));
  CHECK(contains(refused([&] { app::classification_report(two, Tensor(), 2); }), "undefined"));
  const Tensor none = zeros({0}, int64);
  CHECK(contains(refused([&] { app::classification_report(none, none, 2); }), "at least 1"));
  CHECK(contains(
      message_of<ShapeError>([&] { app::classification_report(two, Tensor::from({0}), 2); }),
      "[2] and [1]"));
  CHECK(contains(message_of<ShapeError>([&] {
                   app::classification_report(two, zeros({1, 2}, int64), 2);
                 }),
                 "must be [N], got [1,2]"));
  CHECK(contains(message_of<DTypeError>([&] { app::classification_report(zeros({2}), two, 2); }),
                 "labels must be int64, got float32"));
  CHECK(contains(refused([&] { to_text(hand_made_report(), {"a"}); }),
                 "one for each of 4 classes, got 1"));
  CHECK(contains(refused([&] { report_in_json(hand_made_report(), {"a"}); }), "4 classes, got 1"));
}
