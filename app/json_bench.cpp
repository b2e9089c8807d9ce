// What bench measured, and the trace of its profile.
#include "json.h"
#include "json_text.h"

namespace gradus::app {
namespace {

Json to_json_object(const TimingRecord& timing) {
  return {{"ms", timing.ms},
          {"images_per_second", timing.images_per_second},
          {"flops", timing.flops},
          {"gflops", timing.gflops},
          {"sgemm_percent", timing.sgemm_percent},
          {"allocations", timing.allocations}};
}

Json to_json_object(const ProfileRow& row) {
  return {{"op", row.op},
          {"direction", row.direction},
          {"calls", row.calls},
          {"ms", row.ms},
          {"percent", row.percent},
          {"flops", row.flops},
          {"gflops", row.gflops},
          {"bytes", row.bytes},
          {"gbs", row.gbs},
          {"floor_ms", row.floor_ms},
          {"floor_percent", row.floor_percent}};
}

Json to_json_object(const std::vector<Shape>& shapes) {
  Json list = Json::array();
  for (const Shape& shape : shapes) list.push_back(to_string(shape));
  return list;
}

}  // namespace

std::string to_json(const BenchRecord& bench) {
  Json all{{"model", bench.model},
           {"batch", bench.batch},
           {"image", bench.image},
           {"steps", bench.steps},
           {"threads", bench.threads},
           {"parameters", bench.parameters},
           {"sgemm_gflops", bench.machine.sgemm_gflops},
           {"memory_gbs", bench.machine.memory_gbs},
           {"training", to_json_object(bench.training)},
           {"inference", to_json_object(bench.inference)}};
  if (!bench.profile.empty()) {
    Json rows = Json::array();
    for (const ProfileRow& row : bench.profile) rows.push_back(to_json_object(row));
    all["profile"] = rows;
    all["total"] = to_json_object(bench.total);
  }
  return dump_json(all);
}

std::string to_trace_json(const std::vector<ProfileEvent>& events) {
  const std::int64_t start = events.empty() ? 0 : events.front().begin_ns;
  const auto microseconds = [](std::int64_t ns) { return static_cast<double>(ns) / 1e3; };
  Json list = Json::array();
  for (const ProfileEvent& event : events) {
    list.push_back({{"name", event.name},
                    {"cat", to_string(event.direction)},
                    {"ph", "X"},
                    {"ts", microseconds(event.begin_ns - start)},
                    {"dur", microseconds(event.nanoseconds())},
                    {"pid", 1},
                    {"tid", 1},
                    {"args",
                     {{"inputs", to_json_object(event.inputs)},
                      {"outputs", to_json_object(event.outputs)},
                      {"flops", event.flops},
                      {"bytes", event.bytes}}}});
  }
  return dump_json({{"displayTimeUnit", "ms"}, {"traceEvents", list}}) + "\n";
}

}  // namespace gradus::app
