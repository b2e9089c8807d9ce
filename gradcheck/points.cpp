// A check at several points: what one set of inputs never meets, another may.
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

}  // namespace

GradcheckReport gradcheck_points(const DifferentiableFunction& function,
                                 const InputGenerator& generate, const GradcheckOptions& options) {
  if (options.points < 1)
    fail<ValueError>("gradcheck: points must be at least 1, got ", options.points);
  Generator generator(options.seed);
  GradcheckReport all;
  for (int point = 0; point < options.points && !all.stopped; ++point) {
    GradcheckReport here = gradcheck(function, generate(generator), options);
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
