// A rule is a function from Vitals to at most one Finding. Thresholds stand beside their reasons.
#include <gradus/core/words.h>
#include <gradus/report/doctor.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

namespace gradus {
namespace {

using Found = std::optional<Finding>;

double mean_of(const std::vector<double>& values, std::size_t first, std::size_t count) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(count), 0.0) /
         static_cast<double>(count);
}

/// The mean loss of the first and of the last tenth of all steps.
struct Course {
  double first = Vitals::unknown;
  double last = Vitals::unknown;
};

Course course_of(const Vitals& v) {
  const std::size_t steps = v.step_losses.size();
  if (steps < 10) return {};
  const std::size_t tenth = std::min<std::size_t>(steps / 10, 50);
  return {mean_of(v.step_losses, 0, tenth), mean_of(v.step_losses, steps - tenth, tenth)};
}

/// The loss of answering the same probability for every class.
double loss_of_guessing(const Vitals& v) { return std::log(static_cast<double>(v.classes)); }

/// As it is told, by its name where it has one.
std::string class_called(const Vitals& v, std::ptrdiff_t label) {
  const auto at = static_cast<std::size_t>(label);
  return at < v.class_names.size() ? printable(v.class_names[at]) : std::to_string(label);
}

double last_accuracy(const Vitals& v) {
  return v.epochs.empty() ? Vitals::unknown : v.epochs.back().held_out_accuracy;
}

/// Is an accuracy no better than guessing, beyond what chance does to it? Three standard deviations; of too few
/// images nobody can tell.
bool is_guessing(const Vitals& v, double accuracy) {
  if (v.classes < 2 || v.data.held_out < 1) return false;
  const double p = 1 / static_cast<double>(v.classes);
  const double chance = 3 * std::sqrt(p * (1 - p) / static_cast<double>(v.data.held_out));
  return chance < (1 - p) / 2 && accuracy < p + chance;
}

double last_of(const std::vector<double>& values) {
  return values.empty() ? Vitals::unknown : values.back();
}

double median(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return Vitals::unknown;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Of all weights: how far the last steps of the epochs moved them, over their norm.
double typical_update(const Vitals& v) {
  std::vector<double> ratios;
  for (const Vitals::Parameter& p : v.parameters) {
    if (!p.is_weight) continue;
    for (std::size_t e = 0; e < std::min(p.norm.size(), p.update_norm.size()); ++e)
      if (p.norm[e] > 0) ratios.push_back(p.update_norm[e] / p.norm[e]);
  }
  return median(ratios);
}

Found rate_too_high(const Vitals& v) {
  const Course course = course_of(v);
  const double guessing = loss_of_guessing(v);
  std::string seen;
  const auto peak = std::max_element(v.step_losses.begin(), v.step_losses.end());
  if (v.diverged) {
    seen = "a loss became infinite or no number";
  } else if (course.last > 1.5 * course.first) {
    seen = fmt::format("the loss rose from {:.3g} to {:.3g}", course.first, course.last);
  } else if (!v.step_losses.empty() && *peak > 5 * std::max(v.step_losses.front(), guessing)) {
    // From there many units never come back, whatever the loss does later.
    seen = fmt::format("the loss leapt from {:.3g} to {:.3g} at step {}", v.step_losses.front(),
                       *peak, peak - v.step_losses.begin() + 1);
  } else if (typical_update(v) > 0.1 && course.last > 0.8 * guessing) {
    seen =
        fmt::format("a step moves weights by {:.0f}% of their norm, and the loss stays at {:.3g}",
                    100 * typical_update(v), course.last);
  } else {
    return {};
  }
  return Finding{
      "rate-too-high",
      Severity::bad,
      "",
      "The learning rate is too high",
      fmt::format("{}, at a rate of {:g}", seen, v.learning_rate),
      "Try a tenth of it, or let lr-find choose; clipping the gradients' norm helps where "
      "single steps are to blame."};
}

Found rate_too_low(const Vitals& v) {
  const Course course = course_of(v);
  // A healthy step moves weights by some thousandth; this is a hundred times less, and little is learnt.
  const double update = typical_update(v);
  if (!(update < 1e-5) || !(course.last > 0.9 * course.first)) return {};
  return Finding{
      "rate-too-low",
      Severity::bad,
      "",
      "The learning rate is too low",
      fmt::format("a step moves weights by {:.2g} of their norm; the loss went from {:.3g} "
                  "to {:.3g}, at a rate of {:g}",
                  update, course.first, course.last, v.learning_rate),
      "Try ten times as much, or let lr-find choose."};
}

Found dead_units(const Vitals& v) {
  const Vitals::Layer* worst = nullptr;
  for (const Vitals::Layer& layer : v.layers)
    if (layer.dead > (worst == nullptr ? 0.5 : worst->dead)) worst = &layer;
  if (worst == nullptr) return {};
  return Finding{
      "dead-units",
      worst->dead > 0.9 ? Severity::bad : Severity::warning,
      worst->path,
      "Dead units",
      fmt::format("{:.0f}% of the units behind {} are 0 for every image", 100 * worst->dead,
                  worst->type),
      "A unit that is always 0 has no gradient and never comes back: a lower learning rate, "
      "another initialisation, or LeakyReLU."};
}

Found saturated_units(const Vitals& v) {
  const Vitals::Layer* worst = nullptr;
  for (const Vitals::Layer& layer : v.layers)
    if (layer.saturated > (worst == nullptr ? 0.5 : worst->saturated)) worst = &layer;
  if (worst == nullptr) return {};
  return Finding{
      "saturated-units",
      Severity::warning,
      worst->path,
      "Saturated units",
      fmt::format("{:.0f}% of the outputs of {} are at the end of their range",
                  100 * worst->saturated, worst->type),
      "There the slope is almost 0: smaller first weights, normalized images, or batch norm."};
}

/// The first and the last weight that have gradients.
struct Ends {
  const Vitals::Parameter* first = nullptr;
  const Vitals::Parameter* last = nullptr;
};

Ends ends_of(const Vitals& v) {
  Ends ends;
  for (const Vitals::Parameter& p : v.parameters) {
    if (!p.is_weight || !std::isfinite(last_of(p.gradient_norm))) continue;
    if (ends.first == nullptr) ends.first = &p;
    ends.last = &p;
  }
  return ends;
}

Found vanishing_gradients(const Vitals& v) {
  const auto [first, last] = ends_of(v);
  if (first == last) return {};
  const double near = median(last->gradient_norm);
  const double far = median(first->gradient_norm);
  // Through a dozen healthy layers the norm changes by less than ten.
  if (!(near > 0) || !(far < 1e-3 * near)) return {};
  return Finding{
      "vanishing-gradients",
      Severity::bad,
      first->name,
      "Vanishing gradients",
      fmt::format("the gradient's norm is {:.2g} at {}, and {:.2g} at {}", near, last->name, far,
                  first->name),
      "Relu instead of sigmoid, initialisation by fan-in, batch norm, or shortcuts between "
      "the layers."};
}

Found exploding_gradients(const Vitals& v) {
  const Vitals::Parameter* worst = nullptr;
  double most = 100;  // times the weight's own norm: no rate that trains the others survives that
  for (const Vitals::Parameter& p : v.parameters) {
    if (!p.is_weight) continue;
    for (std::size_t e = 0; e < std::min(p.norm.size(), p.gradient_norm.size()); ++e) {
      if (p.norm[e] > 0 && p.gradient_norm[e] / p.norm[e] > most) {
        most = p.gradient_norm[e] / p.norm[e];
        worst = &p;
      }
    }
  }
  if (worst == nullptr) return {};
  return Finding{"exploding-gradients",
                 Severity::bad,
                 worst->name,
                 "Exploding gradients",
                 fmt::format("the gradient's norm was {:.2g} times the weight's", most),
                 "Clip the gradients' norm, normalize the images, look at the first weights."};
}

Found labels_are_noise(const Vitals& v) {
  if (v.epochs.size() < 2 || !is_guessing(v, last_accuracy(v))) return {};
  const double update = typical_update(v);
  const double guessing = loss_of_guessing(v);
  const double train = v.epochs.back().train_loss;
  const bool learns_by_heart = train < 0.9 * guessing;
  const bool finds_nothing = std::abs(train - guessing) < 0.05 * guessing && update > 1e-4;
  if (!learns_by_heart && !finds_nothing) return {};
  const std::string evidence = fmt::format(
      "accuracy on held-out images is {:.3f}, {:.3f} is guessing; the training loss is {:.3g}, "
      "that of "
      "guessing {:.3g}",
      last_accuracy(v), 1 / static_cast<double>(v.classes), train, guessing);
  if (learns_by_heart) {
    return Finding{
        "labels-shuffled",
        Severity::bad,
        "data",
        "Labels that have nothing to do with the images",
        evidence,
        "The net learns by heart and finds no rule: look whether labels and images are in "
        "the same order, in training and in test data."};
  }
  return Finding{
      "labels-shuffled",
      Severity::warning,
      "data",
      "Nothing is found that tells the classes apart",
      evidence,
      "Look at a few images with their labels; where these are right, the net may not see what "
      "matters: another net, or another rate."};
}

Found not_normalized(const Vitals& v) {
  const double mean = v.data.mean;
  const double deviation = v.data.deviation;
  const bool off = std::abs(mean) > 3 * deviation && std::abs(mean) > 1;
  if (!off && !(deviation > 10) && !(deviation < 0.02)) return {};
  return Finding{"not-normalized",
                 Severity::warning,
                 "data",
                 "The images are not normalized",
                 fmt::format("their mean is {:.3g}, their deviation {:.3g}", mean, deviation),
                 "Take the mean off and divide by the deviation, both of the training images."};
}

Found leak(const Vitals& v) {
  const auto shared = static_cast<double>(v.data.shared);
  if (v.data.held_out < 1 || shared < 0.01 * static_cast<double>(v.data.held_out)) return {};
  return Finding{"leak",
                 Severity::bad,
                 "data",
                 "Images to test with are trained with",
                 fmt::format("{} of {} are among the training images, pixel by pixel",
                             v.data.shared, v.data.held_out),
                 "The accuracy says less than it seems to: split before copying or augmenting."};
}

/// How often each class is answered, and how often it is right to.
struct Answers {
  std::vector<std::int64_t> given;
  std::vector<std::int64_t> wanted;
  std::vector<std::int64_t> right;
  std::int64_t all = 0;
};

Answers answers_of(const Vitals& v) {
  const auto k = static_cast<std::size_t>(v.classes);
  Answers a{std::vector<std::int64_t>(k), std::vector<std::int64_t>(k),
            std::vector<std::int64_t>(k)};
  if (v.confusion.size() != k * k) return a;
  for (std::size_t r = 0; r < k; ++r) {
    for (std::size_t c = 0; c < k; ++c) {
      const std::int64_t count = v.confusion[r * k + c];
      a.wanted[r] += count;
      a.given[c] += count;
      a.all += count;
      if (r == c) a.right[r] += count;
    }
  }
  return a;
}

Found constant_prediction(const Vitals& v) {
  const Answers answers = answers_of(v);
  if (answers.all == 0 || v.classes < 2) return {};
  const auto most = std::max_element(answers.given.begin(), answers.given.end());
  const auto which = most - answers.given.begin();
  const auto wanted = static_cast<double>(answers.wanted[static_cast<std::size_t>(which)]);
  const auto all = static_cast<double>(answers.all);
  if (static_cast<double>(*most) < 0.95 * all || wanted > 0.8 * all) return {};
  return Finding{
      "constant-prediction",
      Severity::bad,
      "",
      "One answer for nearly everything",
      fmt::format("class {} is the answer for {:.0f}% of the images, and right for {:.0f}%",
                  class_called(v, which), 100 * static_cast<double>(*most) / all,
                  100 * wanted / all),
      "Look at what else was found here; if it is nothing, at the last layer's bias and at the "
      "balance of the classes."};
}

Found unbalanced_classes(const Vitals& v) {
  const std::vector<std::int64_t>& counts = v.data.class_counts;
  if (counts.size() < 2) return {};
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  if (*most < 10 * std::max<std::int64_t>(*least, 1)) return {};
  const auto which = static_cast<std::size_t>(least - counts.begin());
  const Answers answers = answers_of(v);
  const std::string recall =
      answers.all > 0 && answers.wanted[which] > 0
          ? fmt::format("; {} of {} are found", answers.right[which], answers.wanted[which])
          : "";
  return Finding{
      "unbalanced-classes",
      Severity::warning,
      "data",
      "Classes of very different size",
      fmt::format("{} training images of class {}, {} of class {}{}", *least,
                  class_called(v, least - counts.begin()), *most,
                  class_called(v, most - counts.begin()), recall),
      "Weights for the classes in the loss, more images of the rare ones; and look at recall by "
      "class, not at accuracy."};
}

Found overfitting(const Vitals& v) {
  if (v.epochs.size() < 3) return {};
  double best_loss = std::numeric_limits<double>::infinity();
  double best_accuracy = 0;
  for (const Vitals::Epoch& epoch : v.epochs) {
    best_loss = std::min(best_loss, epoch.held_out_loss);
    best_accuracy = std::max(best_accuracy, epoch.held_out_accuracy);
  }
  const Vitals::Epoch& last = v.epochs.back();
  // Two standard errors of an accuracy on so few images: the best of many epochs is that much by luck.
  const double images = std::max(static_cast<double>(v.data.held_out), 1.0);
  const double luck = 2 * std::sqrt(best_accuracy * (1 - best_accuracy) / images);
  // A loss that rises alone may be a net that grows sure of itself.
  const bool gets_worse = last.held_out_loss > 1.3 * best_loss &&
                          last.held_out_accuracy < best_accuracy - std::max(0.01, luck) &&
                          last.train_loss < 0.5 * last.held_out_loss;
  const bool knows_by_heart =
      last.held_out_loss > 0.3 && last.train_loss < 0.1 * last.held_out_loss;
  if (!gets_worse && !knows_by_heart) return {};
  return Finding{
      "overfitting",
      Severity::warning,
      "",
      "Overfitting",
      fmt::format("the loss on held-out images was {:.3g} and is {:.3g}; on those that are "
                  "trained with it is {:.3g}",
                  best_loss, last.held_out_loss, last.train_loss),
      "More or augmented images, dropout, weight decay, a smaller net, or fewer epochs."};
}

Found without_gradient(const Vitals& v) {
  std::vector<std::string> names;
  for (const Vitals::Parameter& p : v.parameters) {
    const bool none = std::all_of(p.gradient_norm.begin(), p.gradient_norm.end(),
                                  [](double norm) { return std::isnan(norm) || norm == 0; });
    if (!p.gradient_norm.empty() && none) names.push_back(p.name);
  }
  if (names.empty()) return {};
  return Finding{
      "no-gradient",
      Severity::bad,
      names.front(),
      "Parameters without a gradient",
      fmt::format("{} of {} never had one", names.size(), v.parameters.size()),
      "Is it used in forward? Is it cut off by detach() or requires_grad_(false)? Are all units "
      "behind it dead? why(parameter, loss) tells."};
}

Found equal_units(const Vitals& v) {
  for (const Vitals::Parameter& p : v.parameters) {
    if (!p.is_weight || !(p.equal_rows > 0.5)) continue;
    return Finding{
        "equal-units",
        Severity::bad,
        p.name,
        "Units that are copies of each other",
        fmt::format("{:.0f}% of the units have the very weights of another one",
                    100 * p.equal_rows),
        "What begins equal gets equal gradients and stays equal: first weights must be random."};
  }
  return {};
}

Found shrinking_weights(const Vitals& v) {
  std::vector<double> ratios;
  for (const Vitals::Parameter& p : v.parameters) {
    if (p.is_weight && p.norm.size() > 1 && p.norm.front() > 0)
      ratios.push_back(p.norm.back() / p.norm.front());
  }
  const double ratio = median(ratios);
  if (!(ratio < 0.2)) return {};
  return Finding{"shrinking-weights",
                 Severity::bad,
                 "",
                 "The weights shrink away",
                 fmt::format("their norm is {:.2g} of what it was before the first step", ratio),
                 "Less weight decay."};
}

Found stopped_early(const Vitals& v) {
  if (v.epochs.size() < 2) return {};
  const double before = v.epochs[v.epochs.size() - 2].train_loss;
  const double last = v.epochs.back().train_loss;
  const double held_out = v.epochs.back().held_out_loss;
  const double held_out_before = v.epochs[v.epochs.size() - 2].held_out_loss;
  if (!(last < 0.9 * before) || !(held_out < 0.97 * held_out_before)) return {};
  return Finding{
      "still-learning",
      Severity::note,
      "",
      "It was still learning when it ended",
      fmt::format("the last epoch took the loss on held-out images from {:.3g} to {:.3g}",
                  held_out_before, held_out),
      "More epochs."};
}

struct Rule {
  const char* id;
  Found (*look)(const Vitals&);
};

constexpr Rule rules[] = {
    {"rate-too-high", rate_too_high},
    {"rate-too-low", rate_too_low},
    {"leak", leak},
    {"labels-shuffled", labels_are_noise},
    {"equal-units", equal_units},
    {"no-gradient", without_gradient},
    {"dead-units", dead_units},
    {"vanishing-gradients", vanishing_gradients},
    {"exploding-gradients", exploding_gradients},
    {"shrinking-weights", shrinking_weights},
    {"constant-prediction", constant_prediction},
    {"not-normalized", not_normalized},
    {"saturated-units", saturated_units},
    {"unbalanced-classes", unbalanced_classes},
    {"overfitting", overfitting},
    {"still-learning", stopped_early},
};

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::bad:
      return "bad";
    case Severity::warning:
      return "warning";
    case Severity::note:
      break;
  }
  return "note";
}

std::vector<Finding> diagnose(const Vitals& vitals) {
  std::vector<Finding> findings;
  for (const Rule& rule : rules)
    if (Found found = rule.look(vitals)) findings.push_back(*std::move(found));
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return findings;
}

std::vector<std::string> doctor_rules() {
  std::vector<std::string> ids;
  for (const Rule& rule : rules) ids.emplace_back(rule.id);
  return ids;
}

}  // namespace gradus
