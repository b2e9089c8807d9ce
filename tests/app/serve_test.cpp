// gradus serve and gradus train --serve, as a page and as others than the page ask them: a training that is watched,
// paused and drawn for is the same to the bit, a rate that was changed stays changed, and strangers are refused.
#include <doctest/doctest.h>
#include <gradus/data/dataset.h>
#include <gradus/io/safetensors.h>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <support/program.h>
#include <support/temporary_folder.h>

namespace fs = std::filesystem;

namespace {

/// A socket of the loopback; with port 0 on one that was free.
class Listening {
 public:
  explicit Listening(int port = 0) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_, 1) == 0);
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Listening() { ::close(socket_); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
};

int free_port() { return Listening().port(); }

/// One who asks, byte by byte.
class Asking {
 public:
  explicit Asking(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Asking() { ::close(socket_); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  /// How much of it is taken.
  std::size_t say(const std::string& text) const {
    std::size_t said = 0;
    while (said < text.size()) {
      const ssize_t count = ::send(socket_, text.data() + said, text.size() - said, MSG_NOSIGNAL);
      if (count <= 0) break;
      said += static_cast<std::size_t>(count);
    }
    return said;
  }
  /// What is answered until the other side hangs up.
  std::string hear() const {
    std::string heard;
    char buffer[4096];
    for (;;) {
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) return heard;
      heard.append(buffer, static_cast<std::size_t>(count));
    }
  }

 private:
  int socket_;
};

/// Eight, as many as are served at a time, who send a byte every 200 ms for as long as it lives, but a minute at most.
class Dawdlers {
 public:
  explicit Dawdlers(int port) {
    for (int i = 0; i < 8; ++i) asking_.push_back(std::make_unique<Asking>(port));
    for (const auto& each : asking_) each->say("GET / HTTP/1.1\r\nX: ");
    thread_ = std::thread([this] {
      for (int i = 0; i < 300 && !at_end_; ++i) {
        for (const auto& each : asking_) each->say("a");
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      }
    });
  }
  ~Dawdlers() {
    at_end_ = true;
    thread_.join();
  }
  Dawdlers(const Dawdlers&) = delete;
  Dawdlers& operator=(const Dawdlers&) = delete;

 private:
  std::vector<std::unique_ptr<Asking>> asking_;
  std::atomic<bool> at_end_{false};
  std::thread thread_;
};

double seconds_of(const std::function<void()>& what) {
  const auto start = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What a browser does that has the page open.
class OpenPage {
 public:
  OpenPage(const RunningProgram& program, int port)
      : client_("127.0.0.1", port), origin_("http://127.0.0.1:" + std::to_string(port)) {
    client_.set_read_timeout(120);
    REQUIRE(program.wait_until([&] {
      const httplib::Result result = client_.Get("/");
      if (result) html_ = result->body;
      return result && result->status == 200;
    }));
    const std::string mark = "id=\"live\">";
    const std::size_t at = html_.find(mark);
    REQUIRE(at != html_.npos);
    const std::size_t begin = at + mark.size();
    facts_ = nlohmann::json::parse(html_.substr(begin, html_.find("</script>", begin) - begin));
  }

  const std::string& html() const { return html_; }
  const nlohmann::json& facts() const { return facts_; }
  std::string load() { return client_.Get("/")->body; }
  nlohmann::json news(const std::string& after = "") {
    const httplib::Result result = client_.Get("/news" + after);
    REQUIRE(result);
    REQUIRE(result->status == 200);
    return nlohmann::json::parse(result->body);
  }
  /// The status of the answer, whose body is kept.
  int post(const std::string& path, const std::string& body = "") {
    const httplib::Headers headers{{"X-Gradus-Token", facts_.at("token").get<std::string>()},
                                   {"Origin", origin_}};
    const httplib::Result result = client_.Post(path, headers, body, "text/plain");
    REQUIRE(result);
    body_ = result->body;
    return result->status;
  }
  int get_with(const httplib::Headers& headers) { return client_.Get("/news", headers)->status; }
  int post_with(const httplib::Headers& headers) {
    return client_.Post("/pause", headers, "", "text/plain")->status;
  }
  const std::string& answer() const { return body_; }

  /// Waits until it stands still; returns the step.
  int pause() {
    REQUIRE(post("/pause") == 204);
    return wait_for("paused");
  }
  int wait_for(const std::string& state) {
    for (;;) {
      const nlohmann::json now = news("?step=1000000&epoch=1000000");
      if (now.at("state") == state) return now.at("step").get<int>();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  void step_to(int step) {
    for (int at = wait_for("paused"); at < step; ++at) {
      REQUIRE(post("/step") == 204);
      while (news().at("step").get<int>() == at) std::this_thread::yield();
    }
    CHECK(wait_for("paused") == step);
  }

 private:
  httplib::Client client_;
  std::string origin_;
  std::string html_;
  nlohmann::json facts_;
  std::string body_;
};

/// All tensors of the checkpoint: the model's, the optimizer's, and the history of the kernels.
bool same_tensors(const fs::path& left, const fs::path& right) {
  const auto a = gradus::load_safetensors((left / "checkpoint.safetensors").string());
  const auto b = gradus::load_safetensors((right / "checkpoint.safetensors").string());
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].first != b[i].first || gradus::checksum({a[i]}) != gradus::checksum({b[i]}))
      return false;
  return true;
}

/// The lines of one kind.
std::vector<nlohmann::json> lines_of(const fs::path& folder, const std::string& event) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    lines.push_back(nlohmann::json::parse(line));
    if (lines.back().at("event") != event) lines.pop_back();
  }
  return lines;
}

int run_program(const std::vector<std::string>& arguments) {
  return RunningProgram(arguments).finish();
}

/// A net with all that looking at it might disturb: a running mean, and random numbers of the thread.
std::string restless_net(const TemporaryFolder& folder) {
  const fs::path file = folder / "net.json";
  std::ofstream(file) << R"([{"Conv2d": {"out_channels": 4, "kernel_size": 3, "padding": 1}},
    "BatchNorm2d", "ReLU", "Flatten", {"Dropout": 0.2}, {"Linear": "classes"}])";
  return file.string();
}

std::vector<std::string> training(const TemporaryFolder& folder, const std::string& out) {
  return {
      "train", "--model",   restless_net(folder), "--batch-size", "8",     "--epochs",
      "4",     "--augment", "rotate=10",          "--quiet",      "--out", (folder / out).string()};
}

std::vector<std::string> with(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// Bytes [1,8,8] of a test image of the digits.
std::string digit(const gradus::Dataset& test, std::int64_t index) {
  const std::vector<float> pixels = test.get(index).image.contiguous().to_vector<float>();
  std::string bytes;
  for (const float pixel : pixels) bytes += static_cast<char>(static_cast<int>(pixel * 255 + 0.5F));
  return bytes;
}

/// Trains three epochs, then with a rate at which the loss soon is no number.
/// After the step `in_epoch` of an epoch of 45 the rate is far too high.
void diverge(const TemporaryFolder& folder, const std::string& out, int in_epoch,
             const std::vector<std::string>& more) {
  const int port = free_port();
  using Output = RunningProgram::Output;
  const bool tells = terminal_available();
  RunningProgram program(
      with({"train", "--model", "mlp", "--optimizer", "sgd", "--epochs", "100000", "--quiet",
            "--out", (folder / out).string(), "--serve", "--port", std::to_string(port)},
           more),
      {.out = tells ? Output::terminal : Output::pipe});
  OpenPage page(program, port);
  REQUIRE(program.wait_until([&] { return page.news().at("epoch").get<int>() > 3; }));
  page.step_to((page.pause() / 45 + 1) * 45 + in_epoch);
  CHECK(page.post("/rate", "1e6") == 204);
  CHECK(page.post("/go") == 204);
  CHECK(program.finish() == 1);
  if (!tells) return;
  CHECK(program.output().find("; the learning rate was ") != std::string::npos);
  CHECK(program.output().find("try an --lr") == std::string::npos);  // it had nothing to do with it
}

std::string text_of_file(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a training that is watched, paused and drawn for is the same to the bit") {
  const TemporaryFolder folder;
  REQUIRE(run_program(training(folder, "alone")) == 0);
  REQUIRE(lines_of(folder / "alone", "step").size() == 720);

  const int port = free_port();
  RunningProgram watched(
      with(training(folder, "watched"), {"--serve", "--port", std::to_string(port)}));
  OpenPage page(watched, port);
  CHECK(page.html().find("\"state\":\"running\"") != std::string::npos);
  const int stands = page.pause();
  REQUIRE(stands < 700);
  const gradus::Dataset test = gradus::load_digits().test;
  CHECK(page.post("/guess", digit(test, 0)) == 200);
  const nlohmann::json guess = nlohmann::json::parse(page.answer());
  CHECK(guess.at("step") == stands);
  REQUIRE(guess.at("probabilities").size() == 10);
  double sum = 0;
  for (const auto& probability : guess.at("probabilities")) sum += probability.get<double>();
  CHECK(sum == doctest::Approx(1));
  CHECK(page.post("/refresh") == 204);
  CHECK(page.load().find("\"op\":\"batch_norm\"") != std::string::npos);
  CHECK(page.load().find("\"views_of_step\":" + std::to_string(stands)) != std::string::npos);
  CHECK(page.news().at("step") == stands);

  page.step_to(stands + 3);
  CHECK(page.post("/guess", digit(test, 1)) == 200);
  CHECK(nlohmann::json::parse(page.answer()).at("step") == stands + 3);
  const nlohmann::json news = page.news("?step=" + std::to_string(stands));
  CHECK(news.at("new_steps").size() == 3);
  CHECK(news.at("new_steps")[0][0] == stands + 1);
  CHECK(news.at("steps") == 720);
  CHECK(page.post("/go") == 204);
  CHECK(page.post("/guess", digit(test, 2)) == 200);  // while it trains
  CHECK(watched.finish() == 0);

  CHECK(same_tensors(folder / "alone", folder / "watched"));
  CHECK(lines_of(folder / "alone", "step") == lines_of(folder / "watched", "step"));
  CHECK(lines_of(folder / "alone", "parameter") == lines_of(folder / "watched", "parameter"));
}

TEST_CASE(
    "a rate that was changed by hand stays changed when the training is resumed, and is made again "
    "by trace") {
  const TemporaryFolder folder;
  const int port = free_port();
  const std::vector<std::string> address = {"--port", std::to_string(port)};
  {
    RunningProgram begun(with(with(training(folder, "begun"), {"--serve"}), address));
    OpenPage page(begun, port);
    page.step_to(std::max(page.pause(), 250));  // in an epoch that the cosine has begun to lower
    begun.send(SIGINT);
    REQUIRE(begun.finish() == 130);
  }
  for (const char* copy : {"plain", "stopped", "through"})
    fs::copy(folder / "begun", folder / copy, fs::copy_options::recursive);
  REQUIRE(run_program({"train", "--resume", (folder / "plain").string(), "--quiet"}) == 0);

  // Changed, and stopped two steps later.
  {
    RunningProgram stopped(with({"serve", (folder / "stopped").string()}, address));
    OpenPage page(stopped, port);
    const int step = page.wait_for("paused");
    CHECK(step >= 250);
    CHECK(page.facts().at("views_of_step") == step);
    CHECK(page.post("/rate", "nan") == 400);
    CHECK(page.post("/rate", "0") == 400);
    CHECK(page.post("/rate", "0.01 ") == 400);
    CHECK(page.post("/rate", "0.01") == 204);
    page.step_to(step + 2);
    CHECK(page.news().at("lr").get<double>() == doctest::Approx(0.01));
    stopped.send(SIGINT);
    CHECK(stopped.finish() == 130);
    const std::vector<nlohmann::json> changes = lines_of(folder / "stopped", "rate");
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].at("step") == step);
    CHECK(changes[0].at("from").get<double>() < 0.005);
    CHECK(changes[0].at("lr").get<double>() == doctest::Approx(0.01));
  }
  REQUIRE(run_program({"train", "--resume", (folder / "stopped").string(), "--quiet"}) == 0);

  // Changed, and gone on with to the end, where it is served until Ctrl-C.
  {
    RunningProgram through(with({"serve", (folder / "through").string()}, address));
    OpenPage page(through, port);
    page.wait_for("paused");
    CHECK(page.post("/rate", "0.01") == 204);
    CHECK(page.post("/go") == 204);
    CHECK(page.wait_for("finished") == 720);
    CHECK(page.post("/go") == 409);
    CHECK(page.post("/rate", "0.01") == 409);
    CHECK(page.post("/guess", std::string(64, '\0')) == 200);
    through.send(SIGINT);
    CHECK(through.finish() == 0);
  }
  CHECK(same_tensors(folder / "stopped", folder / "through"));
  CHECK_FALSE(same_tensors(folder / "stopped", folder / "plain"));
  const std::string trace = (folder / "step.safetensors").string();
  for (const char* step : {"100", "720"})
    CHECK(run_program({"trace", (folder / "stopped").string(), "--at-step", step, "-o", trace,
                       "--quiet"}) == 0);
  const std::string report = (folder / "report.html").string();
  REQUIRE(run_program({"report", (folder / "stopped").string(), "-o", report, "--quiet"}) == 0);
  CHECK(text_of_file(report).find("learning rate changed after step") != std::string::npos);
  const std::string caveat = "The command trains without the changes";
  CHECK(text_of_file(report).find(caveat) != std::string::npos);
  RunningProgram compare(
      {"compare", (folder / "plain").string(), (folder / "stopped").string(), "--json"});
  REQUIRE(compare.finish() == 0);
  const nlohmann::json settings = nlohmann::json::parse(compare.output()).at("settings");
  REQUIRE(settings.size() == 1);
  CHECK(settings.dump().find("rates changed by hand") != std::string::npos);
  REQUIRE(run_program({"report", (folder / "plain").string(), "-o", report, "--quiet"}) == 0);
  CHECK(text_of_file(report).find(caveat) == std::string::npos);
}

TEST_CASE("a training that diverges loses no epoch that went well, and tells how it ended") {
  const TemporaryFolder folder;
  const std::string report = (folder / "report.html").string();
  // One step at that rate leaves weights with which a loss is still a number, the third has none. After step 44 the
  // first of them ends an epoch.
  for (const int in_epoch : {20, 44}) {
    for (const std::vector<std::string>& checkpoints :
         {std::vector<std::string>{}, {"--checkpoint-steps", "1"}}) {
      CAPTURE(in_epoch);
      const std::string out = "run" + std::to_string(in_epoch) + std::to_string(checkpoints.size());
      const std::string run = (folder / out).string();
      diverge(folder, out, in_epoch, checkpoints);
      std::vector<nlohmann::json> epochs = lines_of(run, "epoch");
      if (in_epoch == 44) {
        CHECK(epochs.back().at("test_loss").get<double>() > 1e6);
        epochs.pop_back();
      }
      REQUIRE(epochs.size() >= 3);
      REQUIRE(lines_of(run, "diverged").size() == 1);

      RunningProgram eval({"eval", run, "--json"});
      REQUIRE(eval.finish() == 0);
      const nlohmann::json result = nlohmann::json::parse(eval.output());
      CHECK(result.at("test_accuracy") == epochs.back().at("test_accuracy"));
      CHECK(result.at("test_loss") == epochs.back().at("test_loss"));

      REQUIRE(run_program({"report", run, "-o", report, "--quiet"}) == 0);
      const std::string page = text_of_file(report);
      CHECK(page.find("\"state\":\"diverged\"") != std::string::npos);
      CHECK(page.find("\"id\":\"rate-too-high\"") != std::string::npos);
      CHECK(page.find("learning rate changed after step") != std::string::npos);
      CHECK(page.find("no number, at a rate of 1e+06") != std::string::npos);

      const std::string more = std::to_string(epochs.size() + 1);
      REQUIRE(run_program({"train", "--resume", run, "--epochs", more, "--quiet"}) == 0);
      CHECK(lines_of(run, "epoch").size() == epochs.size() + 1);
      CHECK(lines_of(run, "diverged").empty());
      CHECK(lines_of(run, "rate").empty());
    }
  }
}

TEST_CASE("who is not the page is refused, and changes nothing") {
  const TemporaryFolder folder;
  const int port = free_port();
  const std::string host = "127.0.0.1:" + std::to_string(port);
  RunningProgram watched(
      with(training(folder, "run"), {"--serve", "--port", std::to_string(port)}));
  OpenPage page(watched, port);
  const int step = page.pause();
  const std::string token = page.facts().at("token").get<std::string>();
  CHECK(token.size() == 32);

  CHECK(page.get_with({{"Host", host}}) == 200);
  CHECK(page.get_with({{"Host", "localhost:" + std::to_string(port)}}) == 200);
  for (const char* name : {"evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost."})
    CHECK_MESSAGE(page.get_with({{"Host", name}}) == 403, name);
  CHECK(page.get_with({{"Origin", "http://" + host}}) == 200);
  for (const char* origin :
       {"http://evil.example", "null", "https://127.0.0.1", "http://localhost"})
    CHECK_MESSAGE(page.get_with({{"Origin", origin}}) == 403, origin);
  CHECK(page.post_with({}) == 403);
  CHECK(page.post_with({{"X-Gradus-Token", token.substr(1)}}) == 403);
  CHECK(page.post_with({{"X-Gradus-Token", token}, {"Origin", "http://evil.example"}}) == 403);
  CHECK(page.post_with({{"X-Gradus-Token", token}, {"Host", "evil.example"}}) == 403);
  CHECK(page.post("/elsewhere") == 404);
  CHECK(page.post("/guess", "too short") == 400);
  CHECK(page.answer() == "a drawing for this net has 64 bytes, [1,8,8], got 9\n");
  CHECK(page.news().at("step") == step);
  CHECK(page.news().at("state") == "paused");
  watched.send(SIGINT);
  CHECK(watched.finish() == 130);
}

TEST_CASE("a page that is closed in the middle of a request harms no training") {
  const TemporaryFolder folder;
  const int port = free_port();
  RunningProgram watched(
      with(training(folder, "run"), {"--serve", "--port", std::to_string(port)}));
  {
    OpenPage page(watched, port);
    page.pause();
    for (const char* begun :
         {"", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "POST /guess HTTP/1.1\r\nContent-Le"}) {
      CHECK(Asking(port).say(begun) == std::strlen(begun));
    }
    CHECK(page.post("/go") == 204);
  }
  CHECK(watched.finish() == 0);
  CHECK(lines_of(folder / "run", "step").size() == 720);
}

TEST_CASE(
    "who sends a byte now and then keeps neither others from the page nor the training from its "
    "end") {
  const TemporaryFolder folder;
  const int port = free_port();
  RunningProgram watched(
      with(training(folder, "run"), {"--serve", "--port", std::to_string(port)}));
  OpenPage page(watched, port);
  page.pause();
  constexpr double patience = 30;  // seconds: a request has 5, dawdlers take 60
  {
    const Dawdlers dawdlers(port);
    CHECK(seconds_of([&] { page.news(); }) < patience);
  }
  const Dawdlers dawdlers(port);
  watched.send(SIGINT);
  CHECK(seconds_of([&] { CHECK(watched.finish() == 130); }) < patience);
}

TEST_CASE("a request that does not end, or is packed, is cut off before it fills the memory") {
  const TemporaryFolder folder;
  const int port = free_port();
  RunningProgram watched(
      with(training(folder, "run"), {"--serve", "--port", std::to_string(port)}));
  OpenPage page(watched, port);
  page.pause();
  const std::string host = "Host: 127.0.0.1:" + std::to_string(port) + "\r\n";
  const std::string token =
      host + "X-Gradus-Token: " + page.facts().at("token").get<std::string>() + "\r\n";
  const std::string much(std::size_t{64} << 20, 'a');  // more than the buffers of a socket hold
  std::string fields;
  while (fields.size() < (std::size_t{64} << 20)) fields += "X: a\r\n";
  CHECK(Asking(port).say("GET /" + much) < much.size());
  CHECK(Asking(port).say("GET / HTTP/1.1\r\nX: " + much) < much.size());
  CHECK(Asking(port).say("GET / HTTP/1.1\r\n" + fields) < fields.size());
  CHECK(Asking(port).say("POST /guess HTTP/1.1\r\n" + token + "Content-Length: 67108864\r\n\r\n" +
                         much) < much.size());
  CHECK(Asking(port).say("POST /guess HTTP/1.1\r\n" + token +
                         "Transfer-Encoding: chunked\r\n\r\n4000000\r\n" + much) < much.size());
  const Asking packed(port);
  packed.say("POST /guess HTTP/1.1\r\n" + token +
             "Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n");
  CHECK(packed.hear().starts_with("HTTP/1.1 415 "));
  std::string long_head = "GET /news HTTP/1.1\r\n" + host;
  while (long_head.size() < 60000) long_head += "X: " + std::string(1000, 'a') + "\r\n";
  const Asking wordy(port);
  wordy.say(long_head + "\r\n");
  CHECK(wordy.hear().starts_with("HTTP/1.1 200 "));
  CHECK(page.post("/go") == 204);
  CHECK(watched.finish() == 0);
}

TEST_CASE("a port that is taken is told at once, and nothing is written") {
  const TemporaryFolder folder;
  const Listening other;
  const std::vector<std::string> address = {"--port", std::to_string(other.port())};
  CHECK(run_program(with(with(training(folder, "run"), {"--serve"}), address)) == 2);
  CHECK_FALSE(fs::exists(folder / "run"));
  REQUIRE(run_program({"train", "--epochs", "1", "--model", "mlp", "--quiet", "--out",
                       (folder / "run").string()}) == 0);
  if (!terminal_available()) return;
  RunningProgram serve(with({"serve", (folder / "run").string()}, address),
                       {.out = RunningProgram::Output::terminal});
  CHECK(serve.finish() == 2);
  CHECK(serve.output() == "gradus: serve: cannot listen on 127.0.0.1, port " +
                              std::to_string(other.port()) +
                              ": Address already in use; --port 0 takes a free one\r\n");
}

TEST_CASE("a finished training is served with its report, and knows digits that are drawn") {
  const TemporaryFolder folder;
  const std::string run = (folder / "run").string();
  REQUIRE(run_program({"train", "--epochs", "5", "--quiet", "--out", run}) == 0);
  const int port = free_port();
  RunningProgram serve({"serve", run, "--port", std::to_string(port), "--quiet"});
  OpenPage page(serve, port);
  page.wait_for("finished");
  REQUIRE(
      serve.wait_until([&] { return page.load().find("\"op\":\"conv2d\"") != std::string::npos; }));
  const std::string html = page.load();
  CHECK(html.find("\"state\":\"finished\"") != std::string::npos);
  CHECK(html.find("\"confusion\":{\"counts\":[[") != std::string::npos);
  const gradus::Dataset test = gradus::load_digits().test;
  constexpr int drawings = 50;
  int right = 0;
  for (int i = 0; i < drawings; ++i) {
    REQUIRE(page.post("/guess", digit(test, i)) == 200);
    const auto p =
        nlohmann::json::parse(page.answer()).at("probabilities").get<std::vector<double>>();
    right += std::max_element(p.begin(), p.end()) - p.begin() == test.get(i).label ? 1 : 0;
  }
  CHECK(right > 45);  // 97 of 100 after so many epochs
  serve.send(SIGTERM);
  CHECK(serve.finish() == 0);
}
