// Report: the file holds the numbers of the step, bit for bit, stays within its limit by leaving out and
// never by changing, and is written as a whole or not at all.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/models.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>
#include <gradus/report/report.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <zlib.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
using nlohmann::json;

namespace {

Tensor report_images(const Shape& shape) {
  Generator generator(2);
  Tensor images = Tensor::empty(shape);
  for (std::int64_t i = 0; i < images.numel(); ++i)
    images.data<float>()[i] = static_cast<float>(generator.uniform());
  return images;
}

Tensor report_labels(std::int64_t count) {
  Tensor labels = Tensor::empty({count}, int64);
  for (std::int64_t i = 0; i < count; ++i) labels.data<std::int64_t>()[i] = i % 3;
  return labels;
}

/// The least that a gradient check tells.
const char* const whole_check = R"({"subject": "net", "verdict": "pass", "order": 1, "elements": 3,
  "directions": 2, "pass": 5, "kink": 0, "inconclusive": 0, "fail": 0, "diagnoses": [], "notes": [],
  "not_exercised": [], "worst": [], "inputs": [], "sweep": []})";

Sequential small_net() {
  Generator weights(4);
  return Sequential{Conv2d{1, 3, 3, weights}, ReLU{}, Flatten{}, Linear{3 * 6 * 6, 3, {}, weights}};
}

/// What stands between the tags of an element of the page.
std::string element(const std::string& page, const std::string& id) {
  const std::size_t tag = page.find("id=\"" + id + "\">");
  REQUIRE(tag != std::string::npos);
  const std::size_t begin = page.find('>', tag) + 1;
  return page.substr(begin, page.find("</script>", begin) - begin);
}

std::string from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t digit = digits.find(c);
    if (digit == std::string::npos) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255);
  }
  return bytes;
}

std::string from_gzip(const std::string& packed) {
  std::string bytes(std::size_t{1} << 24, '\0');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  return bytes;
}

/// Bytes of a file in which nothing is told.
std::int64_t bare_page() { return std::ssize(Report("never.html").html()); }

struct ReadReport {
  json data;
  std::string numbers;
};

ReadReport read(const std::string& page) {
  return {json::parse(element(page, "report")), from_gzip(from_base64(element(page, "numbers")))};
}

std::int64_t bytes_of_array(const json& array) {
  std::int64_t count = array.at("dtype") == "float32" ? 4 : array.at("dtype") == "int64" ? 8 : 1;
  for (const json& size : array.at("shape")) count *= size.get<std::int64_t>();
  return count;
}

/// Calls f with each array below `value`.
template <class F> void each_array(const json& value, const F& f) {
  if (value.is_object() && value.contains("at") && value.contains("dtype")) return f(value);
  if (!value.is_structured()) return;
  for (const json& part : value) each_array(part, f);
}

/// Whether an array of the file is `tensor`, bit for bit.
bool holds(const ReadReport& report, const json& array, const Tensor& tensor) {
  if (array.is_null()) return !tensor.defined();
  if (!tensor.defined()) return false;
  const Tensor plain = tensor.contiguous();
  const std::int64_t at = array.at("at");
  const std::int64_t bytes = bytes_of_array(array);
  return array.at("shape").get<std::vector<std::int64_t>>() ==
             std::vector(plain.shape().begin(), plain.shape().end()) &&
         bytes == plain.numel() * size_of(plain.dtype()) &&
         at + bytes <= std::ssize(report.numbers) &&
         std::memcmp(report.numbers.data() + at,
                     plain.storage().data() + plain.offset() * size_of(plain.dtype()),
                     static_cast<std::size_t>(bytes)) == 0;
}

int count_nulls(const json& list, const char* key) {
  int nulls = 0;
  for (const json& each : list) nulls += each.at(key).is_null();
  return nulls;
}

}  // namespace

TEST_CASE("three lines write a file whose numbers are those of the step, bit for bit") {
  const TemporaryFolder folder;
  const std::string path = (folder / "report.html").string();
  Sequential net = small_net();
  const Batch batch{report_images({4, 1, 8, 8}), report_labels(4)};
  {
    Report report(path);
    report.watch(net, batch);
  }
  CHECK(folder.entries() == 1);
  const ReadReport file = read(read_bytes(path));
  const Trace trace = trace_step(net, batch.images, batch.labels);
  CHECK(file.data.at("format") == 1);
  const json& nodes = file.data.at("nodes");
  REQUIRE(nodes.size() == trace.nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CAPTURE(i);
    CHECK(holds(file, nodes[i].at("value"), trace.nodes[i].value));
    CHECK(holds(file, nodes[i].at("gradient"), trace.nodes[i].gradient));
    CHECK(nodes[i].at("kept").size() == trace.nodes[i].kept.size());
    REQUIRE(nodes[i].at("arrivals").size() == trace.nodes[i].arrivals.size());
    for (std::size_t k = 0; k < trace.nodes[i].arrivals.size(); ++k)
      CHECK(holds(file, nodes[i].at("arrivals")[k].at("gradient"),
                  trace.nodes[i].arrivals[k].gradient));
  }
  const json& conv = file.data.at("convolutions").at(0);
  const TraceConvolution& seen = trace.convolutions.at(0);
  CHECK(holds(file, conv.at("input"), seen.input));
  CHECK(holds(file, conv.at("output"), seen.output));
  CHECK(holds(file, conv.at("weight_gradient"), seen.weight_gradient));
  CHECK(conv.at("input_gradient").is_null());
  CHECK(conv.at("algorithms").size() == 2);
  REQUIRE(file.data.at("parameters").size() == 4);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(holds(file, file.data.at("parameters")[i].at("gradient"), trace.parameters[i].gradient));
  CHECK(file.data.at("samples").size() == 4);
  CHECK(file.data.at("samples")[1].at("label") == 1);
  double sum = 0;
  for (const json& each : file.data.at("samples")[1].at("probabilities")) sum += each.get<double>();
  CHECK(sum == doctest::Approx(1));
  CHECK(file.data.at("run").is_null());
}

TEST_CASE("every array lies within the block, at a multiple of 8, whatever was left out") {
  Generator weights(3);
  Sequential net = make_model("lenet", {.channels = 1, .height = 28, .width = 28}, weights);
  for (const std::int64_t room : {100'000, 300'000, 900'000, 2'400'000}) {
    CAPTURE(room);
    const std::int64_t limit = bare_page() + room;
    const TemporaryFolder folder;
    Report report((folder / "report.html").string(), {.limit = limit});
    report.watch(net, report_images({16, 1, 28, 28}), report_labels(16));
    report.save();
    const std::string page = read_bytes(folder / "report.html");
    CHECK(std::ssize(page) <= limit);
    const ReadReport file = read(page);
    int arrays = 0;
    each_array(file.data, [&](const json& array) {
      const std::int64_t at = array.at("at");
      CHECK(at % 8 == 0);
      CHECK(at + bytes_of_array(array) <= std::ssize(file.numbers));
      ++arrays;
    });
    CHECK(arrays > 0);
    const json& nodes = file.data.at("nodes");
    if (room == 2'400'000) {
      CHECK(file.data.at("samples").size() == 8);
      CHECK(count_nulls(nodes, "value") == 0);
    } else {
      CHECK(file.data.at("samples").size() == (room == 900'000 ? 4 : 2));
    }
    // What was computed and left out is told apart from what was not computed.
    for (std::size_t i = 0; i < nodes.size(); ++i)
      CHECK(nodes[i].at("computed") == report.trace().nodes[i].gradient.defined());
  }
}

TEST_CASE(
    "convolutions stay longer than the values of other nodes, parameters and pictures longest") {
  Generator weights(3);
  Sequential net = make_model("lenet", {.channels = 1, .height = 28, .width = 28}, weights);
  const TemporaryFolder folder;
  Report report((folder / "report.html").string(), {.limit = bare_page() + 568'000});
  report.watch(net, report_images({2, 1, 28, 28}), report_labels(2));
  const json data = read(report.html()).data;
  CHECK(count_nulls(data.at("nodes"), "value") > 0);
  CHECK(count_nulls(data.at("nodes"), "gradient") > 0);
  CHECK(count_nulls(data.at("convolutions"), "output") == 0);
  CHECK(count_nulls(data.at("convolutions"), "output_gradient") == 0);
  CHECK(count_nulls(data.at("samples"), "picture") == 0);
  CHECK(count_nulls(data.at("parameters"), "value") == 0);
}

TEST_CASE("a net with more weights than fit still has convolutions to step through") {
  const TemporaryFolder folder;
  Report report((folder / "r.html").string(), {.limit = 2'200'000});
  Generator weights(4);
  Sequential net{Conv2d{1, 8, 3, weights}, ReLU{}, Flatten{}, Linear{8 * 6 * 6, 1200, {}, weights},
                 Linear{1200, 3, {}, weights}};
  report.watch(net, report_images({4, 1, 8, 8}), report_labels(4));
  const json data = read(report.html()).data;
  CHECK(count_nulls(data.at("parameters"), "gradient") > 0);
  CHECK(count_nulls(data.at("parameters"), "value") == 0);
  for (const char* part :
       {"input", "output", "output_gradient", "weight_gradient", "bias_gradient"})
    CHECK(count_nulls(data.at("convolutions"), part) == 0);
}

TEST_CASE("the other parts are told as they were given, and text cannot end its element") {
  const TemporaryFolder folder;
  const std::string nasty = "</script><script>alert(1)</script>@numbers@\n\xff";
  Report report((folder / "r.html").string(), {.title = nasty, .classes = {"a", "b<", "c"}});
  Sequential net = small_net();
  report.watch(net, report_images({4, 1, 8, 8}), report_labels(4),
               {.samples = 3, .names = {"first.png"}});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  ReportRun run{.folder = "runs/x", .state = RunState::diverged, .seed = 18446744073709551615u};
  run.settings = {{"lr", "0.1"}};
  run.epochs = {{.epoch = 1, .loss = nan, .accuracy = 0.5, .test_loss = 2}};
  for (int i = 0; i < 5000; ++i) run.steps.push_back({i + 1, i == 4999 ? nan : 1.0, 0.1});
  report.set_run(run);
  report.set_history(
      {{"0.weight", {{1, ones({3, 1, 3, 3})}}, {{1, 3, 2, 0.25}}}, {"gone", {}, {}}});
  report.set_findings({{"dead-relu", Severity::bad, "1", "Dead", "all of it", "go on"}});
  report.set_gradcheck(whole_check);
  report.set_confusion({{3, 1, 0}, {0, 4, 0}, {0, 0, 5}});
  report.set_worst({{.index = 7,
                     .label = 1,
                     .predicted = 2,
                     .probability = 0.9,
                     .picture = zeros({1, 2, 2}, uint8)}});
  const std::string page = report.html();
  const ReadReport file = read(page);
  CHECK(page.find("<script>alert") == std::string::npos);
  CHECK(contains(file.data.at("title").get<std::string>(), "</script>"));
  CHECK(file.data.at("samples").size() == 3);
  CHECK(file.data.at("samples")[0].at("name") == "first.png");
  CHECK(file.data.at("run").at("state") == "diverged");
  CHECK(file.data.at("run").at("seed") == 18446744073709551615u);
  CHECK(file.data.at("run").at("settings")[0] == json{"lr", "0.1"});
  CHECK(file.data.at("run").at("epochs")[0].at("loss").is_null());
  CHECK(file.data.at("run").at("epochs")[0].at("test_loss") == 2);
  CHECK_FALSE(file.data.at("run").at("epochs")[0].contains("validation_loss"));
  const json& steps = file.data.at("run").at("steps");
  REQUIRE(steps.size() == 2000);
  CHECK(steps.front().at("step") == 1);
  CHECK(steps.back().at("step") == 5000);
  CHECK(steps.back().at("loss").is_null());
  const json& parameter = file.data.at("parameters")[0];
  CHECK(holds(file, parameter.at("snapshots")[0].at("value"), ones({3, 1, 3, 3})));
  CHECK(parameter.at("update_ratio") == 0.25);
  CHECK(file.data.at("doctor")[0].at("severity") == "bad");
  CHECK(file.data.at("gradcheck").at("verdict") == "pass");
  CHECK(file.data.at("confusion").at("counts")[1][1] == 4);
  CHECK(file.data.at("worst")[0].at("sample").is_null());
  CHECK(holds(file, file.data.at("worst")[0].at("picture"), zeros({1, 2, 2}, uint8)));
}

TEST_CASE("pictures are the pixels that were normalized") {
  const TemporaryFolder folder;
  Report report((folder / "r.html").string());
  Sequential net{Flatten{}, Linear{4, 3}};
  const Tensor pixels = Tensor::from({{{{0., 1.}, {0.2, 0.6}}}});
  report.watch(net, (pixels - 0.5) / 0.25, report_labels(1),
               {.normalization = {.mean = {0.5}, .stddev = {0.25}}});
  const ReadReport file = read(report.html());
  CHECK(holds(file, file.data.at("samples")[0].at("picture"),
              Tensor::from({{{0, 255}, {51, 153}}}).to(uint8)));
}

TEST_CASE("an image whose label is not known is shown without one, and sends no gradient") {
  const TemporaryFolder folder;
  Report report((folder / "r.html").string(), {.classes = {"a", "b", "c"}});
  Sequential net = small_net();
  const Tensor labels = Tensor::from({{0., 0., 0.}, {0., 1., 0.}}).to(float32);
  report.watch(net, report_images({2, 1, 8, 8}), labels, {.names = {"own.png", "test image 3"}});
  const json samples = read(report.html()).data.at("samples");
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].at("name") == "own.png");
  CHECK(samples[0].at("label").is_null());
  CHECK(samples[0].at("predicted").is_number());
  CHECK(samples[0].at("probabilities").size() == 3);
  CHECK(samples[1].at("label") == 1);
  const TraceNode& output = report.trace().nodes[report.trace().output];
  for (const float slope : output.gradient[0].contiguous().to_vector<float>()) CHECK(slope == 0);
}

TEST_CASE("images without a label make the loss of the others no smaller") {
  Sequential net = small_net();
  const Tensor images = report_images({5, 1, 8, 8});
  const Tensor some = images.narrow(0, 2, 3);
  const Trace wanted = trace_step(net, some, report_labels(3));
  Report report = Report::without_file();
  const Tensor labels =
      Tensor::from({{0., 0., 0.}, {0., 0., 0.}, {1., 0., 0.}, {0., 1., 0.}, {0., 0., 1.}})
          .to(float32);
  report.watch(net, images, labels);
  const Trace& found = report.trace();
  CHECK(found.nodes[found.loss].value.item() ==
        doctest::Approx(wanted.nodes[wanted.loss].value.item()).epsilon(1e-6));
  for (std::size_t i = 0; i < wanted.parameters.size(); ++i) {
    const Tensor& gradient = wanted.parameters[i].gradient;
    const Tensor difference = found.parameters[i].gradient - gradient;
    CHECK(core::max(core::abs(difference)).item() <= 1e-6 * core::max(core::abs(gradient)).item());
  }
  CHECK(found.labels.to_vector<float>() == labels.to_vector<float>());
}

TEST_CASE("what the net takes an image for is what it does in use, not in a step of training") {
  Generator weights(4);
  Sequential net{Conv2d{1, 3, 3, weights},         BatchNorm2d{3}, ReLU{}, Dropout{0.5}, Flatten{},
                 Linear{3 * 6 * 6, 3, {}, weights}};
  const Tensor images = report_images({4, 1, 8, 8});
  for (int i = 0; i < 3; ++i) net(images);  // running statistics of their own
  const Generator before = default_generator();
  Report report = Report::without_file();
  report.watch(net, images, report_labels(4));
  CHECK(net.is_training());
  CHECK(default_generator().position() == before.position());
  const json samples = read(report.html()).data.at("samples");
  net.eval();
  const NoGrad unrecorded;
  const Tensor used = softmax(Variable(net(images).value().to(float64)), 1).value();
  const Tensor& step = report.trace().nodes[report.trace().output].value;
  CHECK(max(abs(Variable(net(images).value() - step))).item() > 0.01);
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto given = samples[static_cast<std::size_t>(i)].at("probabilities");
    const std::vector<double> wanted = used[i].to_vector<double>();
    CHECK(given.get<std::vector<double>>() == wanted);
    const auto most = std::max_element(wanted.begin(), wanted.end()) - wanted.begin();
    CHECK(samples[static_cast<std::size_t>(i)].at("predicted") == most);
  }
}

TEST_CASE("a loss of one's own, and one that diverged, have their reports") {
  const TemporaryFolder folder;
  Report report((folder / "r.html").string());
  Sequential net = small_net();
  report.watch(net, report_images({3, 1, 8, 8}), [](const Variable& output) {
    return mean(output * std::numeric_limits<double>::quiet_NaN());
  });
  const json data = read(report.html()).data;
  CHECK(data.at("samples")[0].at("label").is_null());
  CHECK(data.at("samples")[0].at("predicted").is_null());
  CHECK(data.at("samples")[0].at("probabilities").empty());
  CHECK(data.at("parameters")[0].at("gradient_norm").is_null());
  CHECK(data.at("activity").size() == 4);
}

TEST_CASE("what cannot be written is one line, and what was there stays") {
  const TemporaryFolder folder;
  CHECK(contains(message_of<IoError>([&] { Report r((folder / "no/r.html").string()); }),
                 "Report: cannot write "));
  CHECK(contains(message_of<IoError>([&] { Report r(folder.path().string()); }),
                 "is a folder, not a file"));
  CHECK(message_of<ValueError>([] { Report r(""); }) == "Report: the path is empty");
  CHECK(contains(message_of<ValueError>([] { Report r("r.html", {.limit = 5}); }),
                 "Report: limit must be at least "));

  std::filesystem::create_directory(folder / "gone");
  const std::string path = (folder / "gone/r.html").string();
  Sequential net = small_net();
  {
    Report report(path);
    report.watch(net, report_images({2, 1, 8, 8}), report_labels(2));
    std::filesystem::remove(folder / "gone");
    CHECK(contains(message_of<IoError>([&] { report.save(); }), path));
    CHECK_NOTHROW(report.trace());
  }  // the destructor logs the same, and throws nothing
  CHECK(folder.entries() == 0);
}

TEST_CASE("nothing is written where nothing was told") {
  const TemporaryFolder folder;
  { const Report report((folder / "r.html").string()); }
  CHECK(folder.entries() == 0);
}

TEST_CASE("a report without a file gives its page, and saves none") {
  Report report = Report::without_file({.title = "nowhere"});
  report.set_findings({});
  CHECK(report.html().find("\"title\":\"nowhere\"") != std::string::npos);
  CHECK(message_of<ValueError>([&] { report.save(); }) ==
        "Report::save: this report was made without a file");
  CHECK(message_of<ValueError>([] {
          Report::without_file({.limit = 10});
        }).starts_with("Report: limit must be at least "));
}

TEST_CASE("a watch that throws leaves what was watched before") {
  const TemporaryFolder folder;
  Report report((folder / "r.html").string());
  Sequential net = small_net();
  report.watch(net, report_images({2, 1, 8, 8}), report_labels(2));
  const std::size_t nodes = report.trace().nodes.size();
  CHECK_THROWS_AS(report.watch(net, report_images({2, 5, 8, 8}), report_labels(2)), ShapeError);
  CHECK(report.trace().nodes.size() == nodes);
}

TEST_CASE("wrong calls of a report are told in one line") {
  const TemporaryFolder folder;
  Report report((folder / "r.html").string());
  Sequential net = small_net();
  const Tensor images = report_images({4, 1, 8, 8});
  const auto wrong = [](const auto& call) { return message_of<ValueError>(call); };
  CHECK(wrong([&] { report.trace(); }) == "Report::trace: nothing was watched yet");
  CHECK(wrong([&] { report.watch(net, Batch{}); }) == "Report::watch: the images are undefined");
  CHECK(wrong([&] { report.watch(net, images, Tensor()); }) ==
        "Report::watch: the labels are undefined");
  CHECK(wrong([&] { report.watch(net, images, report_labels(4), {.samples = 0}); }) ==
        "Report::watch: samples must be at least 1, got 0");
  CHECK(wrong([&] { report.watch(net, images.narrow(0, 0, 0), report_labels(4)); }) ==
        "Report::watch: needs a batch of images, got float32 [0,1,8,8]");
  CHECK(message_of<ShapeError>([&] { report.watch(net, images, report_labels(3)); }) ==
        "Report::watch: needs a label for each image, got labels [3] and images [4,1,8,8]");
  const auto refused = [&](const std::string& text, const std::string& why) {
    CHECK(wrong([&] { report.set_gradcheck(text); }) ==
          "Report::set_gradcheck: expects what GradcheckReport::to_json() gives; the text of " +
              std::to_string(text.size()) + " bytes " + why);
  };
  for (const char* text : {"", "[1]", "{\"a\": "}) refused(text, "is no JSON object");
  refused("{}", "has no \"subject\"");
  refused(R"({"subject": "net", "verdict": 3})", "has another kind of \"verdict\"");
  json check = json::parse(whole_check);
  check["worst"] = "none";
  refused(check.dump(), "has another kind of \"worst\"");
  check.erase("elements");
  refused(check.dump(), "has no \"elements\"");
  CHECK(wrong([&] {
          report.set_confusion({{1, 2}});
        }) == "Report::set_confusion: must be square, got 1 rows, and one of 2 counts");
  CHECK(wrong([&] {
          report.set_confusion({{1, 2}, {3}});
        }) == "Report::set_confusion: must be square, got 2 rows, and one of 1 counts");
  CHECK(wrong([&] { report.set_confusion({{-1}}); }) ==
        "Report::set_confusion: a count must be at least 0, got -1");
  CHECK(wrong([&] { report.set_worst({{.index = 3}}); }) ==
        "Report::set_worst: the picture of image 3 is undefined");
  CHECK(wrong([&] {
          report.set_worst({{.picture = zeros({1, 2, 2})}});
        }) == "Report::set_worst: a picture is uint8 [C,H,W], got float32 [1,2,2] of image 0");
  CHECK(wrong([&] {
          report.set_worst({{.picture = zeros({2, 2}, uint8)}});
        }) == "Report::set_worst: a picture is uint8 [C,H,W], got uint8 [2,2] of image 0");
}
