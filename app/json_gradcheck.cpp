// What gradcheck found, by each of its ways.
#include <cmath>

#include "json.h"
#include "json_text.h"

namespace gradus::app {

std::string to_json(const std::vector<Subject>& subjects) {
  Json list = Json::array();
  for (const Subject& subject : subjects) {
    list.push_back({{"kind", subject.kind}, {"name", subject.name}});
  }
  return dump_json({{"count", subjects.size()}, {"list", list}});
}

std::string to_json(const std::vector<CheckRow>& rows, int order, double seconds) {
  Json checks = Json::array();
  std::int64_t failed = 0;
  std::int64_t ops = 0;
  std::int64_t samples = 0;
  CheckRow::Order total;
  for (const CheckRow& row : rows) {
    Json orders = Json::array();
    for (std::size_t i = 0; i < row.orders.size(); ++i) {
      const CheckRow::Order& result = row.orders[i];
      orders.push_back({{"order", i + 1},
                        {"elements", result.elements},
                        {"fail", result.fail},
                        {"kink", result.kink},
                        {"inconclusive", result.inconclusive},
                        {"worst_relative_error", result.worst},
                        {"passed", result.passed}});
      total.elements += result.elements;
      total.fail += result.fail;
      total.kink += result.kink;
      total.inconclusive += result.inconclusive;
      total.worst = std::max(total.worst, result.worst);
    }
    failed += row.passed() ? 0 : 1;
    ops += row.kind == "op" ? 1 : 0;
    samples += row.samples;
    checks.push_back({{"kind", row.kind},
                      {"name", row.name},
                      {"samples", row.samples},
                      {"orders", orders},
                      {"passed", row.passed()},
                      {"failures", row.failures}});
  }
  return dump_json({{"passed", failed == 0},
                    {"order", order},
                    {"checked", rows.size()},
                    {"failed", failed},
                    {"ops", ops},
                    {"layers", std::ssize(rows) - ops},
                    {"samples", samples},
                    {"elements", total.elements},
                    {"fail", total.fail},
                    {"kink", total.kink},
                    {"inconclusive", total.inconclusive},
                    {"worst_relative_error", total.worst},
                    {"seconds", seconds},
                    {"checks", checks}});
}

std::string to_json(const SelfTestRecord& test, const KernelSelfTest& kernels) {
  std::int64_t caught = 0;
  std::int64_t nameable = 0;
  std::int64_t diagnosed = 0;
  std::int64_t misnamed = 0;
  Json escaped = Json::array();
  Json unnamed = Json::array();
  Json bugs = Json::array();
  for (const PlantedRow& row : test.planted) {
    const Json entry{{"kind", row.kind},
                     {"subject", row.subject},
                     {"sample", row.sample},
                     {"input", row.input},
                     {"shape", row.shape},
                     {"bug", row.bug},
                     {"order", row.order},
                     {"caught", row.caught},
                     {"expected", row.nameable() ? row.expected.front() : ""},
                     {"diagnosed", row.diagnosed}};
    caught += row.caught ? 1 : 0;
    nameable += row.nameable() ? 1 : 0;
    diagnosed += row.named() ? 1 : 0;
    misnamed += row.misnamed() ? 1 : 0;
    if (!row.caught) escaped.push_back(entry);
    if (row.nameable() && !row.named()) unnamed.push_back(entry);
    bugs.push_back(entry);
  }
  Json kernel_faults = Json::array();
  for (const KernelFaultRow& row : kernels.rows) {
    kernel_faults.push_back({{"subject", row.subject},
                             {"sample", row.sample},
                             {"pass", row.pass},
                             {"algorithm", row.algorithm},
                             {"fault", row.fault},
                             {"planted", row.planted},
                             {"caught", row.caught}});
  }
  return dump_json({{"planted", test.planted.size()},
                    {"caught", caught},
                    {"nameable", nameable},
                    {"diagnosed", diagnosed},
                    {"misnamed", misnamed},
                    {"good", test.good},
                    {"inconclusive", test.undecided},
                    {"false_alarms", test.false_alarms.size()},
                    {"escaped", escaped},
                    {"not_diagnosed", unnamed},
                    {"alarmed", test.false_alarms},
                    {"kernel_planted", kernels.planted()},
                    {"kernel_caught", kernels.caught()},
                    {"kernel_good", kernels.good},
                    {"kernel_false_alarms", kernels.false_alarms.size()},
                    {"kernel_alarmed", kernels.false_alarms},
                    {"kernel_faults", kernel_faults},
                    {"kernel_seconds", kernels.seconds},
                    {"seconds", test.seconds},
                    {"bugs", bugs}});
}

std::string to_json(const std::vector<Float32Row>& rows, double seconds) {
  Json checks = Json::array();
  Float32Row total;
  std::int64_t failed = 0;
  std::int64_t ops = 0;
  for (const Float32Row& row : rows) {
    checks.push_back({{"kind", row.kind},
                      {"name", row.name},
                      {"samples", row.samples},
                      {"elements", row.elements},
                      {"identities", row.identities},
                      {"undecided", row.undecided},
                      {"fail", row.fail},
                      {"worst", row.worst},
                      {"worst_at", row.worst_at},
                      {"passed", row.passed()},
                      {"failures", row.failures}});
    failed += row.passed() ? 0 : 1;
    ops += row.kind == "op" ? 1 : 0;
    total.samples += row.samples;
    total.elements += row.elements;
    total.identities += row.identities;
    total.undecided += row.undecided;
    total.fail += row.fail;
    if (row.worst > total.worst) {
      total.worst = row.worst;
      total.worst_at = row.name + ": " + row.worst_at;
    }
  }
  return dump_json({{"passed", failed == 0},
                    {"checked", rows.size()},
                    {"failed", failed},
                    {"ops", ops},
                    {"layers", std::ssize(rows) - ops},
                    {"samples", total.samples},
                    {"elements", total.elements},
                    {"identities", total.identities},
                    {"undecided", total.undecided},
                    {"fail", total.fail},
                    {"worst", total.worst},
                    {"worst_at", total.worst_at},
                    {"seconds", seconds},
                    {"checks", checks}});
}

std::string to_json(const Float32Report& report, std::int64_t parameters, double seconds) {
  Json failures = Json::array();
  for (const Float32Difference& failure : report.failures) {
    Json index = Json::array();
    for (const std::int64_t i : failure.index) index.push_back(i);
    failures.push_back({{"op", failure.op},
                        {"call", failure.call},
                        {"place", failure.place},
                        {"pass", failure.pass},
                        {"algorithm", failure.algorithm},
                        {"index", index},
                        {"float32", failure.result},
                        {"float64", failure.reference},
                        {"difference", failure.difference},
                        {"bound", failure.bound},
                        {"wrong", failure.wrong},
                        {"elements", failure.elements}});
  }
  return dump_json({{"passed", report.passed()},
                    {"subject", report.subject},
                    {"calls", report.calls},
                    {"elements", report.elements},
                    {"identities", report.identities},
                    {"undecided", report.undecided},
                    {"fail", report.fail_count},
                    {"worst", report.worst},
                    {"worst_at", report.worst_at},
                    {"failures", failures},
                    {"unstated", report.unstated},
                    {"parameters", parameters},
                    {"seconds", seconds}});
}

std::string to_json(const GradcheckReport& report, const TaylorReport& taylor,
                    std::int64_t parameters, double seconds) {
  Json orders = Json::array();
  for (const TaylorLine& line : taylor.lines) {
    orders.push_back(std::isfinite(line.order) ? Json(line.order) : Json());
  }
  Json all = Json::parse(report.to_json());
  all["parameters"] = parameters;
  all["taylor"] = {{"verdict", to_string(taylor.verdict)}, {"orders", orders}};
  all["seconds"] = seconds;
  return dump_json(all);
}

}  // namespace gradus::app
