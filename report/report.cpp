// A report's file: the page that the library carries, with two elements filled.
#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/math.h>
#include <gradus/io/atomic_file.h>
#include <gradus/report/detail/content.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>

namespace gradus {

/// The bytes of report/page/dist/report.html; the build writes the definition.
std::span<const unsigned char> report_page_html();

struct Report::Content : detail::ReportContent {};

namespace {

constexpr std::int64_t least_room = 100'000;  // beside the page, for what no array is
constexpr std::int64_t least_samples = 2;     // fewer have no statistics

std::string_view page_template() {
  const std::span<const unsigned char> bytes = report_page_html();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `page` with the first of each mark replaced. Both are looked for before: what is put in may hold either.
std::string filled(std::string_view page, std::string_view json, std::string_view numbers) {
  struct Mark {
    std::string_view mark;
    std::string_view text;
    std::size_t at;
  };
  std::array<Mark, 2> marks{{{"@report@", json, 0}, {"@numbers@", numbers, 0}}};
  for (Mark& mark : marks) {
    mark.at = page.find(mark.mark);
    if (mark.at == std::string_view::npos)
      fail<Error>("report: the page that this library carries has no ", mark.mark);
  }
  if (marks[0].at > marks[1].at) std::swap(marks[0], marks[1]);
  std::string text;
  text.reserve(page.size() + json.size() + numbers.size());
  std::size_t done = 0;
  for (const Mark& mark : marks) {
    text.append(page.substr(done, mark.at - done)).append(mark.text);
    done = mark.at + mark.mark.size();
  }
  return text.append(page.substr(done));
}

/// The first `count` of a batch, by themselves.
Tensor first_of(const Tensor& tensor, std::int64_t count) {
  return tensor.narrow(0, 0, std::min(count, tensor.size(0)));
}

/// Shares of classes by which cross_entropy(), which divides by all images, gives the mean over those that have a label.
Tensor of_labelled(const Tensor& labels) {
  if (!is_floating(labels.dtype()) || labels.rank() != 2 || labels.numel() == 0) return labels;
  std::int64_t labelled = 0;
  for (std::int64_t i = 0; i < labels.size(0); ++i)
    if (core::max(labels[i]).item() != 0) ++labelled;
  if (labelled == 0 || labelled == labels.size(0)) return labels;
  return labels * (static_cast<double>(labels.size(0)) / static_cast<double>(labelled));
}

void check_batch(const Tensor& images, const WatchOptions& options) {
  if (options.samples < 1)
    fail<ValueError>("Report::watch: samples must be at least 1, got ", options.samples);
  if (!images.defined()) fail<ValueError>("Report::watch: the images are undefined");
  if (images.rank() < 1 || images.size(0) < 1)
    fail<ValueError>("Report::watch: needs a batch of images, got ", describe(images));
}

/// About how many bytes a file of these arrays has.
std::int64_t size_with(const detail::ReportContent& content) {
  detail::Numbers numbers;
  detail::collect(content, numbers);
  return numbers.size() + std::ssize(detail::json_of(content, numbers)) +
         std::ssize(page_template());
}

}  // namespace

std::string_view to_string(RunState state) {
  constexpr std::array<std::string_view, 4> names{"finished", "interrupted", "diverged", "running"};
  return names.at(static_cast<std::size_t>(state));
}

Report::Report(ReportOptions options) : content_(std::make_unique<Content>()) {
  const std::int64_t least = std::ssize(page_template()) + least_room;
  if (options.limit < least)
    fail<ValueError>("Report: limit must be at least ", least, ", got ", options.limit);
  content_->options = std::move(options);
}

Report Report::without_file(ReportOptions options) { return Report(std::move(options)); }

Report::Report(std::string path, ReportOptions options) : Report(std::move(options)) {
  namespace fs = std::filesystem;
  path_ = std::move(path);
  if (path_.empty()) fail<ValueError>("Report: the path is empty");
  std::error_code error;
  if (fs::is_directory(path_, error)) fail<IoError>("Report: ", path_, " is a folder, not a file");
  const fs::path folder = fs::path(path_).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error))
    fail<IoError>("Report: cannot write ", path_, ": ", folder.string(), " is no folder");
}

Report::~Report() {
  if (saved_ || path_.empty()) return;
  try {
    save();
  } catch (const std::exception& error) {
    log_warn(error.what());
  }
}

void Report::watch(Module& net, const Batch& batch, const WatchOptions& options) {
  watch(net, batch.images, batch.labels, options);
}

void Report::watch(Module& net, const Tensor& images, const Tensor& labels,
                   const WatchOptions& options) {
  check_batch(images, options);
  if (!labels.defined()) fail<ValueError>("Report::watch: the labels are undefined");
  if (labels.rank() < 1 || labels.size(0) != images.size(0)) {
    fail<ShapeError>("Report::watch: needs a label for each image, got labels ", labels.shape(),
                     " and images ", images.shape());
  }
  const std::int64_t most = std::min(options.samples, images.size(0));
  const Tensor scores = detail::scores_of(net, first_of(images, most));
  for (std::int64_t count = most;; count /= 2) {
    detail::ReportContent seen = *content_;
    const Tensor known = first_of(labels, count);
    seen.trace = trace_step(net, first_of(images, count), of_labelled(known),
                            {.input_gradient = options.input_gradient});
    seen.trace->labels = known.clone();
    seen.samples = detail::samples_of(*seen.trace, first_of(scores, count), options);
    const bool last = count < 2 * least_samples || size_with(seen) <= seen.options.limit;
    if (!last) continue;
    static_cast<detail::ReportContent&>(*content_) = std::move(seen);
    break;
  }
  saved_ = false;
}

void Report::watch(Module& net, const Tensor& images, const TraceLoss& loss,
                   const WatchOptions& options) {
  check_batch(images, options);
  content_->trace = trace_step(net, images, loss, {.input_gradient = options.input_gradient});
  content_->samples = detail::samples_of(*content_->trace, {}, options);
  saved_ = false;
}

const Trace& Report::trace() const {
  if (!content_->trace) fail<ValueError>("Report::trace: nothing was watched yet");
  return *content_->trace;
}

void Report::set_run(ReportRun run) {
  content_->run = std::move(run);
  saved_ = false;
}

void Report::set_history(std::vector<ParameterHistory> history) {
  content_->history = std::move(history);
  saved_ = false;
}

void Report::set_findings(std::vector<Finding> findings) {
  content_->findings = std::move(findings);
  saved_ = false;
}

void Report::set_gradcheck(const std::string& json) {
  const std::string wrong = detail::why_no_gradcheck(json);
  if (!wrong.empty()) {
    fail<ValueError>(
        "Report::set_gradcheck: expects what GradcheckReport::to_json() gives; the text ", "of ",
        json.size(), " bytes ", wrong);
  }
  content_->gradcheck = json;
  saved_ = false;
}

void Report::set_confusion(std::vector<std::vector<std::int64_t>> counts) {
  for (const auto& row : counts) {
    if (row.size() != counts.size()) {
      fail<ValueError>("Report::set_confusion: must be square, got ", counts.size(),
                       " rows, and one of ", row.size(), " counts");
    }
    for (const std::int64_t count : row)
      if (count < 0)
        fail<ValueError>("Report::set_confusion: a count must be at least 0, got ", count);
  }
  content_->confusion = std::move(counts);
  saved_ = false;
}

void Report::set_worst(std::vector<WorstImage> worst) {
  for (const WorstImage& image : worst) {
    if (!image.picture.defined())
      fail<ValueError>("Report::set_worst: the picture of image ", image.index, " is undefined");
    if (image.picture.dtype() != uint8 || image.picture.rank() != 3)
      fail<ValueError>("Report::set_worst: a picture is uint8 [C,H,W], got ",
                       describe(image.picture), " of image ", image.index);
  }
  content_->worst = std::move(worst);
  saved_ = false;
}

std::string Report::html() const {
  detail::Numbers numbers;
  detail::collect(*content_, numbers);
  // What is not arrays takes its place first. Arrays packed as one are rarely larger than each by itself.
  const std::int64_t limit = content_->options.limit;
  numbers.fit(numbers.size());
  std::int64_t room =
      limit - std::ssize(page_template()) - std::ssize(detail::json_of(*content_, numbers));
  while (true) {
    numbers.fit(room);
    const std::string json = detail::json_of(*content_, numbers);
    std::string page = filled(page_template(), json, numbers.base64());
    const std::int64_t beyond = std::ssize(page) - limit;
    if (beyond <= 0 || room <= 0) return page;
    room -= beyond;
  }
}

void Report::save() {
  if (path_.empty()) fail<ValueError>("Report::save: this report was made without a file");
  const std::string page = html();
  write_file_atomically(path_, page);
  saved_ = true;
  if (std::ssize(page) > content_->options.limit) {
    log_warn(text_of("Report: ", path_, " has ", page.size(),
                     " bytes without any array, more than ", content_->options.limit));
  }
}

}  // namespace gradus
