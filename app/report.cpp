// gradus report: a training, or a net alone, as one HTML page: how it went, the net seen from inside on a few
// images, where it is wrong, and what it suffers from.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/core/words.h>
#include <gradus/data/loader.h>
#include <gradus/data/resize.h>
#include <gradus/layers/models.h>
#include <gradus/report/doctor.h>
#include <gradus/report/report.h>
#include <gradus/report/vitals.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "build_model.h"
#include "commands.h"
#include "confusion.h"
#include "data_parts.h"
#include "exit_code.h"
#include "loaders.h"
#include "net_gradcheck.h"
#include "output_file.h"
#include "own_pictures.h"
#include "picture.h"
#include "progress.h"
#include "report.h"
#include "report_parts.h"
#include "resolve.h"
#include "run_description.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t worst_shown = 24;
constexpr std::int64_t batch_for_layers = 256;  // a unit that is 0 for all of these counts as dead

/// Pictures `side` pixels high and wide, as bytes.
void resize_all(Dataset& data, std::int64_t side) {
  std::vector<Tensor> images;
  for (std::int64_t i = 0; i < data.size(); ++i)
    images.push_back(resize(as_picture(data.get(i).image), side, side));
  data.images = core::stack(images, 0);
}

/// With the weights that a training with this seed would begin with.
ReportSubject new_subject(const ReportCommandOptions& options) {
  constexpr std::int64_t lenet_side = 28;
  TrainOptions asked;
  asked.data = options.data;
  asked.data_dir = options.data_dir;
  asked.form = options.form;
  asked.model = options.what;
  asked.seed = options.seed;
  const Settings settings = resolve(asked);
  ReportSubject s{.run = {}, .data = load_parts(settings.data, options.quiet)};
  if (options.data.empty() && options.what == "lenet") {  // the digits are 8x8
    for (Dataset* part : {&s.data.train, &s.data.test}) resize_all(*part, lenet_side);
  }
  s.run.record = describe_run(settings, s.data);
  s.run.model = new_model(settings, s.run.record.image);
  s.run.record.parameters = s.run.model.parameter_count();
  return s;
}

/// The first option that only a net alone takes; empty without.
std::string option_for_a_net(const ReportCommandOptions& options) {
  const ReportCommandOptions none;
  if (!options.data.empty()) return "--data " + options.data;
  if (options.seed != none.seed) return "--seed";
  return option_of_form(options.form);
}

ReportSubject subject_of(const ReportCommandOptions& options) {
  std::error_code error;
  if (fs::is_directory(options.what, error)) {
    const std::string other = option_for_a_net(options);
    if (other.empty()) return load_trained_net(options.what, options.data_dir, options.quiet);
    fail<UsageError>(other, ": ", options.what, " is a training, which has its data; ",
                     other.substr(0, other.find(' ')), " is for a net alone");
  }
  const bool exists = fs::exists(options.what, error);
  const std::vector<std::string>& models = model_names();
  const bool named = std::find(models.begin(), models.end(), options.what) != models.end();
  if (exists ? is_net_file(options.what) : named) return new_subject(options);
  if (!exists) {
    fail<NotFoundError>(options.what,
                        ": no folder of a training, no file NET.json, and none of the ", "models ",
                        joined(models), did_you_mean(options.what, models));
  }
  fail<UsageError>(
      options.what,
      ": report shows the folder of a training, or a net: a file NET.json of layers, or ",
      joined(models));
}

/// At most `most` of `count` indices, evenly spread: folders have their images class by class.
std::vector<std::int64_t> spread_over(std::int64_t count, std::int64_t most) {
  std::vector<std::int64_t> indices;
  const std::int64_t chosen = std::min(count, most);
  for (std::int64_t i = 0; i < chosen; ++i) indices.push_back(i * count / chosen);
  return indices;
}

Batch batch_of(const Dataset& data, const std::vector<std::int64_t>& indices) {
  const Dataset images = subset(data, Tensor::from(indices.data(), Shape{std::ssize(indices)}));
  const DataLoader loader(images, {.batch_size = images.size(), .prefetch = 0});
  return *loader.epoch(0).begin();
}

/// What the doctor looks at.
Vitals vitals_of(ReportSubject& s, const std::optional<ClassificationReport>& report) {
  const RunRecord& run = s.run.record;
  Vitals vitals{.classes = run.image.classes,
                .class_names = run.class_names,
                .parameters = parameter_vitals(s.run.model),
                .data = data_vitals(s.data.train, s.data.test)};
  if (s.trained) {
    vitals.learning_rate = rate_to_blame(run.settings, s.trained->metrics);
    vitals.confusion = report->counts.to_vector<std::int64_t>();
    add_course(vitals, s.trained->metrics);
  }
  const std::vector<std::int64_t> some =
      spread_over(s.data.test.size(), std::min(batch_for_layers, evaluation_batch(run.image)));
  vitals.layers = layer_vitals(s.run.model, batch_of(s.data.test, some).images);
  return vitals;
}

/// The images on which the net is watched: one's own, then test images, some of all and those that it is most
/// wrong about.
struct Watched {
  std::int64_t own = 0;                 ///< so many are one's own
  std::vector<std::int64_t> indices{};  ///< of test images
  std::vector<std::string> names{};
  Tensor images{};
  Tensor labels{};
};

constexpr std::int64_t most_watched = 8;

ReadPictures own_pictures(const ReportCommandOptions& options, const RunRecord& run) {
  if (options.pictures.empty()) return {};
  const std::vector<std::string> files = picture_files(options.pictures);
  if (std::ssize(files) > most_watched)
    fail<UsageError>("--picture: ", files.size(), " pictures, a report has room for ",
                     most_watched);
  LeftOut none;
  return read_pictures(files, picture_form(run), false, none);
}

/// Labels as shares of classes, of which a picture of one's own has none: it adds nothing to the loss.
Tensor shares_of(const Tensor& labels, std::int64_t own, std::int64_t classes) {
  return core::cat({zeros({own, classes}), core::one_hot(labels, classes, float32)}, 0);
}

Watched choose_images(const ReportSubject& s, const ReadPictures& pictures,
                      const std::vector<Mistake>& worst) {
  constexpr std::size_t most_wrong = 3;
  constexpr std::int64_t least_of_test = 2;
  Watched watched;
  watched.own = std::ssize(pictures.files);
  watched.names = pictures.files;
  const std::size_t wrong = watched.own > 0 ? 0 : std::min(worst.size(), most_wrong);
  watched.indices = spread_over(
      s.data.test.size(),
      std::max(most_watched - watched.own - static_cast<std::int64_t>(wrong), least_of_test));
  for (std::size_t i = 0; i < wrong; ++i) {
    if (std::find(watched.indices.begin(), watched.indices.end(), worst[i].index) ==
        watched.indices.end())
      watched.indices.push_back(worst[i].index);
  }
  for (const std::int64_t index : watched.indices)
    watched.names.push_back("test image " + std::to_string(index));
  const Batch batch = batch_of(s.data.test, watched.indices);
  watched.images = batch.images;
  watched.labels = batch.labels;
  if (watched.own == 0) return watched;
  const DataLoader own(as_dataset(pictures, s.run.record),
                       {.batch_size = watched.own, .prefetch = 0});
  watched.images = core::cat({(*own.epoch(0).begin()).images, batch.images}, 0);
  watched.labels = shares_of(batch.labels, watched.own, s.run.record.image.classes);
  return watched;
}

std::vector<WorstImage> pictures_of(const std::vector<Mistake>& mistakes, const Dataset& test,
                                    const Watched& watched) {
  std::vector<WorstImage> pictures;
  for (const Mistake& mistake : mistakes) {
    WorstImage image{.index = mistake.index,
                     .label = mistake.label,
                     .predicted = mistake.predicted,
                     .probability = mistake.of_predicted,
                     .picture = as_picture(test.get(mistake.index).image)};
    const auto at = std::find(watched.indices.begin(), watched.indices.end(), mistake.index);
    if (at != watched.indices.end()) image.sample = watched.own + (at - watched.indices.begin());
    pictures.push_back(std::move(image));
  }
  return pictures;
}

std::vector<std::vector<std::int64_t>> rows_of(const Tensor& counts) {
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t r = 0; r < counts.size(0); ++r)
    rows.push_back(counts.select(0, r).contiguous().to_vector<std::int64_t>());
  return rows;
}

/// The check of the net's gradients for the page; empty, and a line that says why, where there is none.
std::string gradient_check(Sequential& net, const RunRecord& run, double most_seconds) {
  constexpr std::int64_t elements = 4;  // of each parameter
  constexpr int directions = 2;
  if (most_seconds == 0) return {};
  Generator generator(1);
  GradcheckOptions how = fast_gradcheck(directions);
  how.elements = elements;
  how.worst = std::numeric_limits<std::size_t>::max();  // the page has a line for each parameter
  how.subject = run.settings.model;
  how.progress = [&](const GradcheckProgress& now) {
    const double expected =
        now.seconds * static_cast<double>(now.total) / static_cast<double>(now.done + 1);
    return expected <= most_seconds;
  };
  try {
    const GradcheckReport report = check_net(net, batch_to_check(run.image, generator), how);
    if (!report.stopped) return report.to_json();
    fmt::print(
        "left out: the gradient check, which takes more than {} s; --gradcheck N gives it N\n",
        most_seconds);
  } catch (const Error& error) {  // two images of random pixels are not what every net takes
    fmt::print("left out: the gradient check: {}\n", error.what());
  }
  return {};
}

void print(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    fmt::print("{}: {}{}: {}\n", to_string(finding.severity), finding.title,
               finding.where.empty() ? "" : " (" + finding.where + ")", finding.evidence);
  }
}

/// All that a report is made of, but for the files of a training.
std::vector<ReadFile> files_read(const ReportCommandOptions& options) {
  std::error_code error;
  std::vector<ReadFile> files = {{options.what, "the net"}};
  for (const std::string& picture : options.pictures) files.push_back({picture, "a picture"});
  if (!options.data.empty()) files.push_back({options.data, "the data"});
  if (options.data.empty() && fs::is_directory(options.what, error))
    files.push_back({load_record(options.what).settings.data.name, "the data"});
  return files;
}

}  // namespace

ReportSubject load_trained_net(const std::string& folder, const std::string& data_dir, bool quiet) {
  ReportSubject s{.run = load_trained(folder)};
  const RunRecord& run = s.run.record;
  expect_known_data(run, folder, "gradus import --data DATA tells it some");
  Trained& trained = s.trained.emplace();
  trained.metrics = read_course("report", folder, run.metrics);
  s.data = load_same_data(run, data_dir, folder, quiet);
  TaskProgress progress("evaluating");
  evaluate(s.run.model, evaluation_loader(run.settings, s.data.test),
           [&](const Batch& batch, const Tensor& logits) {
             trained.answers.add(batch, logits);
             if (!quiet) progress.show(trained.answers.size(), s.data.test.size());
           });
  return s;
}

ReportOptions report_options(const RunRecord& run, bool trained) {
  return {.title = run.settings.model + (trained ? " on " : " with first weights, on ") +
                   short_name(run.settings.data),
          .classes = all_class_names(run)};
}

void tell_run(Report& report, const ReportSubject& subject, const std::string& folder) {
  const Trained& trained = *subject.trained;
  report.set_run(how_it_went(subject.run, trained.metrics, folder, trained.running));
}

std::vector<Finding> look_inside(Report& report, ReportSubject& subject, const std::string& folder,
                                 const ReadPictures& pictures) {
  const RunRecord& run = subject.run.record;
  std::optional<ClassificationReport> answers;
  std::vector<Mistake> worst;
  if (subject.trained) {
    const Answers& given = subject.trained->answers;
    answers = classification_report(given.labels(), given.predictions(), run.image.classes);
    worst = given.worst(worst_shown);
  }
  const Watched watched = choose_images(subject, pictures, worst);
  report.watch(subject.run.model, watched.images, watched.labels,
               {.samples = watched.images.size(0),
                .normalization = subject.data.test.normalization,
                .names = watched.names});
  if (subject.trained) {
    report.set_history(histories(subject.run, subject.trained->metrics, folder));
    report.set_confusion(rows_of(answers->counts));
    report.set_worst(pictures_of(worst, subject.data.test, watched));
  }
  std::vector<Finding> findings = diagnose(vitals_of(subject, answers));
  report.set_findings(findings);
  return findings;
}

int run_report(const ReportCommandOptions& options) {
  expect_writable("--out", options.out, files_read(options));
  set_num_threads(options.threads.value_or(num_threads()));
  ReportSubject subject = subject_of(options);
  const RunRecord& run = subject.run.record;
  const ReadPictures pictures = own_pictures(options, run);
  Report report(options.out, report_options(run, subject.trained.has_value()));
  if (subject.trained) tell_run(report, subject, options.what);
  const std::vector<Finding> findings = look_inside(report, subject, options.what, pictures);
  const std::string check = gradient_check(subject.run.model, run, options.gradcheck_seconds);
  if (!check.empty()) report.set_gradcheck(check);
  report.save();
  print(findings);
  fmt::print("written: {}\n", options.out);
  return exit_ok;
}

}  // namespace gradus::app
