// The report as JSON: keys in the order in which the page reads them. Numbers that JSON does not have (NaN,
// infinity) become null, as does what was not computed or not kept; bytes that are not UTF-8 are replaced.
#include <gradus/core/version.h>
#include <gradus/report/detail/content.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <nlohmann/json.hpp>

namespace gradus {

std::string without_markup(const std::string& json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace gradus

namespace gradus::detail {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_steps = 2000;

Json sizes_of(const Shape& shape) { return std::vector(shape.begin(), shape.end()); }

template <class Range, class F> Json list_of(const Range& range, const F& f) {
  Json array = Json::array();
  for (const auto& each : range) array.push_back(f(each));
  return array;
}

template <class T> Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json index_json(std::size_t index) {
  return index == no_index ? Json(-1) : Json(static_cast<std::int64_t>(index));
}

Json pair_json(const Pair& pair) { return {pair.height, pair.width}; }

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &local);
  return text.data();
}

std::string_view direction_of(Conv2dPass pass) {
  switch (pass) {
    case Conv2dPass::forward:
      return "forward";
    case Conv2dPass::input_grad:
      return "input gradient";
    case Conv2dPass::weight_grad:
      return "weight gradient";
  }
  return "?";
}

/// Writes the parts of a report, with arrays where Numbers has put them.
class ReportWriter {
 public:
  ReportWriter(const ReportContent& content, const Numbers& numbers)
      : content_(content), numbers_(numbers) {}
  Json all() const;

 private:
  Json array(const Tensor& tensor) const;
  Json run() const;
  Json module(const TraceModule& module) const;
  Json parameter(const TraceParameter& parameter) const;
  Json sample(const ReportSample& sample) const;
  Json node(const TraceNode& node) const;
  Json convolution(const TraceConvolution& conv) const;
  Json worst(const WorstImage& image) const;

  const ReportContent& content_;
  const Numbers& numbers_;
};

Json ReportWriter::array(const Tensor& tensor) const {
  const std::optional<std::int64_t> at = numbers_.place_of(tensor);
  if (!at) return nullptr;
  return {{"shape", sizes_of(tensor.shape())}, {"dtype", Numbers::dtype_of(tensor)}, {"at", *at}};
}

Json epoch_json(const ReportEpoch& epoch) {
  Json json = {{"epoch", epoch.epoch}, {"loss", epoch.loss}, {"accuracy", epoch.accuracy}};
  const auto put = [&](const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  };
  put("validation_loss", epoch.validation_loss);
  put("validation_accuracy", epoch.validation_accuracy);
  put("test_loss", epoch.test_loss);
  put("test_accuracy", epoch.test_accuracy);
  json["learning_rate"] = epoch.learning_rate;
  json["seconds"] = epoch.seconds;
  return json;
}

Json steps_json(const std::vector<ReportStep>& steps) {
  const std::size_t count = std::min(steps.size(), most_steps);
  Json array = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = count == 1 ? 0 : i * (steps.size() - 1) / (count - 1);
    array.push_back({{"step", steps[at].step},
                     {"loss", steps[at].loss},
                     {"learning_rate", steps[at].learning_rate}});
  }
  return array;
}

Json ReportWriter::run() const {
  if (!content_.run) return nullptr;
  const ReportRun& run = *content_.run;
  Json settings = Json::array();
  for (const auto& [name, value] : run.settings) settings.push_back(Json::array({name, value}));
  return {{"folder", run.folder},
          {"state", to_string(run.state)},
          {"command", run.command},
          {"caveat", run.caveat},
          {"seed", run.seed},
          {"checksum", run.checksum},
          {"settings", settings},
          {"epochs", list_of(run.epochs, epoch_json)},
          {"steps", steps_json(run.steps)}};
}

Json ReportWriter::module(const TraceModule& module) const {
  Json json = {{"path", module.path},
               {"type", module.type},
               {"text", module.text},
               {"parent", index_json(module.parent)},
               {"input", sizes_of(module.input)},
               {"output", sizes_of(module.output)},
               {"parameters", module.parameters}};
  json["multiplications"] = module.flops / 2;
  json["additions"] = module.additions;
  json["backward_multiplications"] = module.backward_flops / 2;
  json["backward_additions"] = module.backward_additions;
  json["kept_bytes"] = module.kept_bytes;
  return json;
}

double norm_of(const Tensor& tensor) {
  double squares = 0;
  for (const double x : tensor.to(float64).to_vector<double>()) squares += x * x;
  return std::sqrt(squares);
}

Json ReportWriter::parameter(const TraceParameter& parameter) const {
  const auto history =
      std::find_if(content_.history.begin(), content_.history.end(),
                   [&](const ParameterHistory& each) { return each.name == parameter.name; });
  const ParameterHistory known = history == content_.history.end() ? ParameterHistory{} : *history;
  const auto snapshot = [this](const ParameterSnapshot& each) -> Json {
    return {{"epoch", each.epoch}, {"value", array(each.value)}};
  };
  const auto flow = [](const ParameterFlow& each) -> Json {
    return {{"epoch", each.epoch},
            {"norm", each.norm},
            {"gradient_norm", each.gradient_norm},
            {"update_ratio", each.update_ratio}};
  };
  return {
      {"name", parameter.name},
      {"module", index_json(parameter.module)},
      {"shape", sizes_of(parameter.value.shape())},
      {"value", array(parameter.value)},
      {"gradient", array(parameter.gradient)},
      {"norm", norm_of(parameter.value)},
      {"gradient_norm", parameter.gradient.defined() ? Json(norm_of(parameter.gradient)) : Json()},
      {"update_ratio", known.flow.empty() ? Json() : Json(known.flow.back().update_ratio)},
      {"snapshots", list_of(known.snapshots, snapshot)},
      {"flow", list_of(known.flow, flow)}};
}

Json ReportWriter::sample(const ReportSample& sample) const {
  return {{"name", sample.name},
          {"label", or_null(sample.label)},
          {"predicted", or_null(sample.predicted)},
          {"probabilities", sample.probabilities},
          {"picture", array(sample.picture)}};
}

Json ReportWriter::node(const TraceNode& node) const {
  const auto kept = [](const TraceKept& each) -> Json {
    return {{"what", each.what},
            {"shape", sizes_of(each.shape)},
            {"bytes", each.bytes},
            {"why", each.why},
            {"counts", each.counts}};
  };
  const auto arrival = [this](const TraceArrival& each) -> Json {
    return {{"from", index_json(each.from)}, {"gradient", array(each.gradient)}};
  };
  Json json = {{"op", node.op},
               {"role", to_string(node.role)},
               {"name", node.name},
               {"module", index_json(node.module)},
               {"place", node.place},
               {"inputs", list_of(node.inputs, index_json)},
               {"shape", sizes_of(node.shape)},
               {"value", array(node.value)},
               {"gradient", array(node.gradient)},
               {"computed", node.gradient.defined()},
               {"kept", list_of(node.kept, kept)},
               {"forward_us", or_null(node.forward_us)},
               {"backward_us", or_null(node.backward_us)}};
  json["multiplications"] = node.flops / 2;
  json["additions"] = node.additions;
  json["arrivals"] = list_of(node.arrivals, arrival);
  return json;
}

Json ReportWriter::convolution(const TraceConvolution& conv) const {
  const auto algorithm = [](const TraceAlgorithm& each) -> Json {
    return {{"direction", direction_of(each.pass)},
            {"name", each.name},
            {"why", each.why},
            {"predicted_us", or_null(each.predicted)},
            {"measured_us", or_null(each.microseconds)}};
  };
  const Conv2dOptions& o = conv.options;
  return {{"node", index_json(conv.node)},
          {"module", index_json(content_.trace->nodes[conv.node].module)},
          {"name", conv.name},
          {"input", array(conv.input)},
          {"weight", array(conv.weight)},
          {"bias", array(conv.bias)},
          {"output", array(conv.output)},
          {"activation", o.activation == Activation::relu ? "relu" : "none"},
          {"output_gradient", array(conv.output_gradient)},
          {"input_gradient", array(conv.input_gradient)},
          {"weight_gradient", array(conv.weight_gradient)},
          {"bias_gradient", array(conv.bias_gradient)},
          {"has_bias", conv.bias.defined()},
          {"stride", pair_json(o.stride)},
          {"padding", {o.padding.height, o.padding.height, o.padding.width, o.padding.width}},
          {"dilation", pair_json(o.dilation)},
          {"groups", o.groups},
          {"algorithms", list_of(conv.algorithms, algorithm)}};
}

Json spread_json(const TraceSpread& spread) {
  return {{"mean", spread.mean},
          {"deviation", spread.deviation},
          {"histogram",
           {{"low", spread.histogram.low},
            {"high", spread.histogram.high},
            {"counts", spread.histogram.counts}}}};
}

Json activity_json(const TraceActivity& activity) {
  Json json = {{"module", index_json(activity.module)}};
  json.update(spread_json(activity.values));
  json["dead"] = or_null(activity.dead);
  json["gradient"] = activity.gradients ? spread_json(*activity.gradients) : Json();
  return json;
}

Json finding_json(const Finding& finding) {
  return {{"id", finding.id},
          {"severity", to_string(finding.severity)},
          {"where", finding.where},
          {"title", finding.title},
          {"evidence", finding.evidence},
          {"advice", finding.advice}};
}

Json ReportWriter::worst(const WorstImage& image) const {
  return {{"index", image.index},
          {"label", image.label},
          {"predicted", image.predicted},
          {"probability", image.probability},
          {"sample", or_null(image.sample)},
          {"picture", array(image.picture)}};
}

Json ReportWriter::all() const {
  static const Trace nothing;
  const Trace& trace = content_.trace ? *content_.trace : nothing;
  const auto with = [this](auto member) {
    return [this, member](const auto& each) { return (this->*member)(each); };
  };
  Json json = {{"format", 1},
               {"gradus", version},
               {"title", content_.options.title},
               {"created", now_text()},
               {"classes", content_.options.classes},
               {"run", run()}};
  json["modules"] = list_of(trace.modules, with(&ReportWriter::module));
  json["parameters"] = list_of(trace.parameters, with(&ReportWriter::parameter));
  json["samples"] = list_of(content_.samples, with(&ReportWriter::sample));
  json["nodes"] = list_of(trace.nodes, with(&ReportWriter::node));
  json["backward"] = list_of(trace.backward, index_json);
  json["loss"] = index_json(trace.loss);
  json["convolutions"] = list_of(trace.convolutions, with(&ReportWriter::convolution));
  json["activity"] = list_of(trace.activity, activity_json);
  json["doctor"] = list_of(content_.findings, finding_json);
  json["gradcheck"] = content_.gradcheck.empty() ? Json() : Json::parse(content_.gradcheck);
  json["confusion"] = content_.confusion.empty() ? Json() : Json{{"counts", content_.confusion}};
  json["worst"] = list_of(content_.worst, with(&ReportWriter::worst));
  return json;
}

}  // namespace

void collect(const ReportContent& content, Numbers& numbers) {
  for (const ReportSample& sample : content.samples) numbers.add(sample.picture, Rank::picture);
  for (const WorstImage& image : content.worst) numbers.add(image.picture, Rank::picture);
  if (!content.trace) return;
  const Trace& trace = *content.trace;
  for (const TraceParameter& parameter : trace.parameters) {
    numbers.add(parameter.value, Rank::parameter);
    numbers.add(parameter.gradient, Rank::parameter_gradient);
    for (const ParameterHistory& history : content.history) {
      if (history.name != parameter.name) continue;
      for (const ParameterSnapshot& each : history.snapshots)
        numbers.add(each.value, Rank::snapshot);
    }
  }
  for (const TraceNode& node : trace.nodes) {
    numbers.add(node.value, Rank::node_value);
    numbers.add(node.gradient, Rank::node_gradient);
    for (const TraceArrival& each : node.arrivals) numbers.add(each.gradient, Rank::arrival);
  }
  std::size_t group = 0;
  for (const TraceConvolution& conv : trace.convolutions) {
    ++group;
    for (const Tensor& tensor : {conv.input, conv.output, conv.output_gradient, conv.input_gradient,
                                 conv.weight_gradient, conv.bias_gradient})
      numbers.add(tensor, Rank::convolution, group);
    numbers.add(conv.weight, Rank::parameter);
    numbers.add(conv.bias, Rank::parameter);
  }
}

std::string json_of(const ReportContent& content, const Numbers& numbers) {
  return without_markup(
      ReportWriter(content, numbers).all().dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string why_no_gradcheck(const std::string& text) {
  using Kind = Json::value_t;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return "is no JSON object";
  const auto lacks = [&](std::initializer_list<const char*> keys, Kind kind) -> std::string {
    for (const char* key : keys) {
      const auto found = json.find(key);
      if (found == json.end()) return std::string("has no \"") + key + '"';
      const bool number = kind == Kind::number_integer && found->is_number();
      if (found->type() != kind && !number)
        return std::string("has another kind of \"") + key + '"';
    }
    return {};
  };
  std::string wrong = lacks({"subject", "verdict"}, Kind::string);
  if (wrong.empty()) {
    wrong = lacks({"order", "elements", "directions", "pass", "kink", "inconclusive", "fail"},
                  Kind::number_integer);
  }
  if (wrong.empty()) {
    wrong = lacks({"diagnoses", "notes", "not_exercised", "worst", "inputs", "sweep"}, Kind::array);
  }
  return wrong;
}

}  // namespace gradus::detail
