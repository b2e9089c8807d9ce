// A check at several points: what one set of inputs never meets, another may.
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace gradus {
namespace {

void add_counts(GradcheckReport& to, const GradcheckReport& from) {
  to.elements += from.elements;
  to.directions += from.directions;
  to.passed_count += from.passed_count;
  to.kink_count += from.kink_count;
  to.inconclusive_count += from.inconclusive_count;
  to.fail_count += from.fail_count;
  to.worst_relative_error = std::max(to.worst_relative_error, from.worst_relative_error);
}

/// Does a backward at `one` give the same after a forward at `other`, which may be of another size?
bool survives(const DifferentiableFunction& function, const Variables& one, const Variables& other,
              const GradcheckOptions& options) {
  const Probe probe(function, one, options);
  const Tensor& weights = probe.weights()[0];
  const std::vector<Tensor> expected = probe.gradients(weights);
  const Variable output = probe.record();
  const Probe elsewhere(function, other, options);
  static_cast<void>(elsewhere.record());
  Variables leaves;
  for (std::size_t i = 0; i < probe.inputs(); ++i) leaves.push_back(probe.leaf(i));
  const std::vector<Tensor> found = Probe::backward_of(output, leaves, weights);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].defined() != expected[i].defined()) return false;
    if (found[i].defined() && !core::equal(found[i], expected[i])) return false;
  }
  return true;
}

}  // namespace

GradcheckReport gradcheck_points(const DifferentiableFunction& function,
                                 const InputGenerator& generate, const GradcheckOptions& options) {
  if (options.points < 1)
    fail<ValueError>("gradcheck: points must be at least 1, got ", options.points);
  Generator generator(options.seed);
  GradcheckReport all;
  Variables last;
  for (int point = 0; point < options.points && !all.stopped; ++point) {
    const Variables inputs = generate(generator);
    GradcheckReport here = gradcheck(function, inputs, options);
    if (point > 0 && here.passed() && all.passed() && !survives(function, last, inputs, options)) {
      here.verdict = Verdict::fail;
      here.diagnoses.push_back({Pattern::stale_value, "",
                                "a forward at the next inputs, between forward and backward, "
                                "changes the gradient: backward "
                                "reads what that one overwrote"});
    }
    last = inputs;
    if (point == 0) {
      all = std::move(here);
      continue;
    }
    // Whatever no point exercised.
    std::vector<std::string> missing;
    std::set_intersection(all.not_exercised.begin(), all.not_exercised.end(),
                          here.not_exercised.begin(), here.not_exercised.end(),
                          std::back_inserter(missing));
    const bool worse = std::pair(here.verdict, here.worst_relative_error) >
                       std::pair(all.verdict, all.worst_relative_error);
    GradcheckReport& other = worse ? all : here;
    GradcheckReport merged = std::move(worse ? here : all);
    add_counts(merged, other);
    for (std::string& note : other.notes) {
      if (std::find(merged.notes.begin(), merged.notes.end(), note) == merged.notes.end())
        merged.notes.push_back(std::move(note));
    }
    merged.stopped = merged.stopped || other.stopped;
    merged.not_exercised = std::move(missing);
    all = std::move(merged);
  }
  all.notes.insert(all.notes.begin(), "at " + std::to_string(options.points) + " sets of inputs");
  return all;
}

}  // namespace gradus
