// The report of a gradient check for machines (JSON) and for readers (HTML, SVG).
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/gradcheck/gradcheck.h>

#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/error_message.h"

using namespace gradus;
using Json = nlohmann::json;

namespace {

/// z = x·y elementwise, whose dx is off by a factor, and NaN in its first element if asked for.
struct Planted final : Op {
  static constexpr std::string_view name = "planted";
  double factor;
  bool with_nan;
  Variable x, y;

  explicit Planted(double f, bool nan = false) : factor(f), with_nan(nan) {}

  Tensor forward(const Variable& a, const Variable& b) {
    x = a;
    y = b;
    return core::mul(a.value(), b.value());
  }

  Variables backward(const Variable& dz) override {
    const Tensor dx = core::mul(core::mul(dz.value(), y.value()), Tensor::scalar(factor, float64));
    if (with_nan) *dx.data<double>() = std::nan("");
    return {dx, dz * x};
  }
};

GradcheckReport check(double factor, const Shape& shape, GradcheckOptions options = {},
                      bool nan = false) {
  Generator generator(3);
  const Variables inputs{Variable(randn(shape, generator, float64), true),
                         Variable(randn(shape, generator, float64), true)};
  return gradcheck([&](const Variables& v) { return apply(Planted(factor, nan), v[0], v[1]); },
                   inputs, options);
}

GradcheckReport kink() {
  return gradcheck([](const Variables& v) { return relu(v[0]); },
                   {Variable(Tensor::from({0.0, 1.0, -1.0}, float64), true)});
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

/// The first fault in the nesting of tags; empty for a text whose every tag is closed in its turn.
std::string nesting_fault(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "'<' without '>'";
    const std::string inside = page.substr(at + 1, end - at - 1);
    if (inside.find('<') != std::string::npos) return "'<' inside <" + inside;
    const std::string name = inside.substr(0, inside.find(' '));
    if (name == "!DOCTYPE" || inside.back() == '/') continue;
    if (name.front() != '/') {
      open.push_back(name);
    } else if (open.empty() || "/" + open.back() != name) {
      return "<" + name + "> closes " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

}  // namespace

TEST_CASE("the JSON of a failing check says what the report says") {
  const GradcheckReport report =
      check(0.5, {2, 3}, {.subject = "a \"product\"", .names = {"left", "right"}});
  const std::string text = report.to_json();
  CHECK(!contains(text, "\n"));
  CHECK(text.find("{\"subject\":\"a \\\"product\\\"\",\"order\":1,\"verdict\":\"fail\"") == 0);
  const Json json = Json::parse(text);
  CHECK(json["elements"] == 12);
  CHECK(json["directions"] == 0);
  CHECK(json["pass"] == 6);
  CHECK(json["kink"] == 0);
  CHECK(json["inconclusive"] == 0);
  CHECK(json["fail"] == 6);
  CHECK(json["worst_relative_error"] == report.worst_relative_error);
  CHECK(json["diagnoses"][0]["pattern"] == "constant_factor");
  CHECK(json["diagnoses"][0]["input"] == "left");
  CHECK(json["diagnoses"][0]["text"] == report.diagnoses[0].text);
  CHECK(json["notes"] == Json::array());
  CHECK(json["inputs"].dump() == R"([{"connected":true,"name":"left","shape":[2,3]},)"
                                 R"({"connected":true,"name":"right","shape":[2,3]}])");
  REQUIRE(json["worst"].size() == report.worst.size());
  const GradcheckEntry& worst = report.worst[0];
  const Json& entry = json["worst"][0];
  CHECK(entry["verdict"] == "fail");
  CHECK(entry["input"] == "left");
  CHECK(entry["index"] == Json::array({worst.index[0], worst.index[1]}));
  CHECK(entry["analytic"] == worst.analytic);
  CHECK(entry["numeric"] == worst.numeric);
  CHECK(entry["bound"] == worst.bound);
  CHECK(entry["absolute_error"] == worst.absolute_error);
  CHECK(entry["relative_error"] == worst.relative_error);
  CHECK(!entry.contains("direction"));
  CHECK(!entry.contains("left"));
  REQUIRE(json["sweep"].size() == report.sweep.size());
  CHECK(json["sweep"][0]["h"] == report.sweep[0].h);
  CHECK(json["sweep"][0]["left"] == report.sweep[0].left);
  CHECK(json["sweep"][0]["right"] == report.sweep[0].right);
  CHECK(json["sweep"][0]["central"] == report.sweep[0].central);
  CHECK(json["sweep"][0]["rounding"] == report.sweep[0].rounding);
}

TEST_CASE("in JSON what is not finite is null") {
  const Json json = Json::parse(check(1, {3}, {}, true).to_json());
  CHECK(json["verdict"] == "fail");
  CHECK(json["worst"][0]["index"] == Json::array({0}));
  CHECK(json["worst"][0]["analytic"].is_null());
  CHECK(json["worst"][0]["absolute_error"].is_null());
  CHECK(json["worst"][0]["numeric"].is_number());
}

TEST_CASE("in JSON a kink has its two slopes, a direction its number, a 0-d input an empty index") {
  const Json at_kink = Json::parse(kink().to_json());
  CHECK(at_kink["verdict"] == "kink");
  CHECK(at_kink["worst"][0]["left"].get<double>() < at_kink["worst"][0]["right"].get<double>());
  const Json fast = Json::parse(check(0.5, {4}, fast_gradcheck(2)).to_json());
  CHECK(fast["directions"] == 4);
  int directions = 0;
  for (const Json& entry : fast["worst"]) {
    CHECK(entry.contains("index") != entry.contains("direction"));
    if (entry.contains("direction")) {
      CHECK(entry["direction"].is_number_integer());
      ++directions;
    }
  }
  CHECK(directions == 4);
  const Json scalar = Json::parse(check(0.5, {}).to_json());
  CHECK(scalar["worst"][0]["index"] == Json::array());
  CHECK(scalar["inputs"][0]["shape"] == Json::array());
}

TEST_CASE("every kind of report is a page whose tags are all closed") {
  GradcheckReport second = gradgradcheck([](const Variables& v) { return tanh(v[0]); },
                                         {Variable(Tensor::from({0.5, -1.0}, float64), true)});
  const std::vector<std::pair<std::string, GradcheckReport>> reports{
      {"nothing at all", GradcheckReport()},
      {"no elements", check(1, {0, 3})},
      {"passing", check(1, {2, 2, 3})},
      {"failing", check(-1, {5, 4})},
      {"not a number", check(1, {3}, {}, true)},
      {"a kink", kink()},
      {"0-d", check(0.5, {})},
      {"fast", check(0.5, {4, 4}, fast_gradcheck(3))},
      {"some elements", check(0.5, {9, 9}, {.elements = 5})},
      {"only zeros", check(0, {0})},
      {"no list of the worst", check(0.5, {3}, {.worst = 0})},
      {"second order", second}};
  for (const auto& each : reports) {
    CAPTURE(each.first);
    const GradcheckReport& report = each.second;
    const std::string page = report.to_html();
    CHECK(nesting_fault(page) == "");
    CHECK(page.find("<!DOCTYPE html>") == 0);
    CHECK(contains(page, "class=\"badge " + std::string(to_string(report.verdict))));
    CHECK(!contains(page, "=\"nan"));
    CHECK(!contains(page, "=\"inf"));
    CHECK(nesting_fault(report.sweep_svg()) == "");
    CHECK(Json::accept(report.to_json()));
  }
  CHECK(contains(second.to_html(), "second derivative"));
}

TEST_CASE("the page shows the diagnosis, and each element once as a mark and once as a cell") {
  const GradcheckReport report = check(0.5, {2, 3}, {.names = {"x", "y"}});
  REQUIRE(report.diagnoses.size() == 1);
  const std::string page = report.to_html();
  CHECK(contains(page, report.diagnoses[0].text));
  CHECK(contains(page, "constant_factor"));
  CHECK(contains(page, report.worst[0].place()));
  CHECK(count(page, "<rect class=\"cell e7 edge fail\"") == 6);
  CHECK(count(page, "<rect class=\"cell") == 12);
  CHECK(count(page, "<title>x[") == 12);
  CHECK(count(page, "<title>y[") == 12);
}

TEST_CASE("the page shows text of others as it is, never as tags") {
  const GradcheckReport report =
      check(0.5, {2}, {.subject = "<b>&\"'", .names = {"<script>", "a&b"}});
  const std::string page = report.to_html();
  CHECK(nesting_fault(page) == "");
  CHECK(contains(page, "&lt;b&gt;&amp;&quot;&#39;"));
  CHECK(contains(page, "&lt;script&gt;[0]"));
  CHECK(!contains(page, "<b>"));
  CHECK(!contains(page, "<script>"));
  CHECK(!contains(page, "a&b"));
}

TEST_CASE("the page loads nothing from anywhere and runs nothing") {
  std::string page = check(0.5, {3}).to_html();
  const std::string name_of_svg = "http://www.w3.org/2000/svg";
  for (std::size_t at; (at = page.find(name_of_svg)) != std::string::npos;) {
    page.erase(at, name_of_svg.size());
  }
  for (const char* way_out : {"http", "//", "<script", "<link", "url(", "src=", "@import"}) {
    CAPTURE(way_out);
    CHECK(!contains(page, way_out));
  }
}

TEST_CASE("the scatter has powers of ten along its axes where slopes span many decades") {
  const auto scaled = [](const Tensor& scale) {
    return gradcheck([&](const Variables& v) { return v[0] * Variable(scale); },
                     {Variable(ones({4}, float64), true)})
        .to_html();
  };
  const std::string axis_name = "numeric slope</text>";
  const std::string near = scaled(Tensor::from({1.0, 2.0, -3.0, 4.0}, float64));
  const std::string far = scaled(Tensor::from({1.0, 1e-6, -1e6, 1e3}, float64));
  const auto scatter_of = [&](const std::string& page) {
    const std::size_t end = page.find(axis_name);
    return page.substr(0, end).substr(page.rfind("<svg", end));
  };
  CHECK(!contains(scatter_of(near), "10⁻"));
  CHECK(contains(scatter_of(far), ">10⁻"));
  CHECK(contains(scatter_of(far), ">−10"));
  CHECK(contains(scatter_of(far), ">0<"));
}

TEST_CASE("the error map says what it leaves out, and how much of that fails") {
  const std::string page = check(0.5, {66, 65}, {.draws = 1, .elements = 3000}).to_html();
  CHECK(contains(page, "Shown: the first 64 of 66 rows, 64 of 65 columns. Of what is left out, "));
  const std::string panels = check(0.5, {70, 1, 2}, {.draws = 1}).to_html();
  CHECK(contains(panels, "Shown: the first 64 of 70 panels. Of what is left out, 12 fail."));
  CHECK(contains(panels, "[63,:,:]"));
  CHECK(!contains(panels, "[64,:,:]"));
}

TEST_CASE("the sweep is a picture of its own, with its style") {
  const std::string picture = check(0.5, {3}).sweep_svg();
  CHECK(picture.find("<svg xmlns=\"http://www.w3.org/2000/svg\"") == 0);
  CHECK(contains(picture, "prefers-color-scheme: dark"));
  CHECK(contains(picture, "class=\"line compared\""));
  CHECK(contains(picture, "class=\"line measured\""));
  CHECK(contains(picture, "class=\"line rounding\""));
  CHECK(!contains(picture, "class=\"line gap\""));
  CHECK(contains(kink().sweep_svg(), "class=\"line gap\""));
  CHECK(check(0.5, {3}, fast_gradcheck()).sweep_svg().empty());
}
