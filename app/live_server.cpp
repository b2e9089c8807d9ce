// Connections are closed behind each answer: so no page that stays open holds a thread, and the end waits for none
// (live_connections.h).
#include "live_server.h"

#include <gradus/core/words.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <random>
#include <string_view>
#include <thread>

#include "exit_code.h"
#include "json.h"
#include "live_connections.h"

namespace gradus::app {
namespace {

using httplib::Request;
using httplib::Response;

enum HttpStatus {
  http_no_content = 204,
  http_bad_request = 400,
  http_forbidden = 403,
  http_conflict = 409,
  http_unsupported = 415,
  http_fault = 500,
  http_not_now = 503
};

/// 128 bits that nobody guesses.
std::string new_token() {
  std::random_device source;
  std::string token;
  constexpr const char* digits = "0123456789abcdef";
  for (int i = 0; i < 32; ++i) token += digits[source() % 16];
  return token;
}

bool is_ip4(const std::string& host) {
  in_addr parsed{};
  return ::inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool is_ip6(const std::string& host) {
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || (is_ip4(host) && host.starts_with("127."));
}

/// "[::1]:8028" -> "::1", "LocalHost:8028" -> "localhost".
std::string name_in(const std::string& host_header) {
  std::string name;
  for (const char c : host_header)
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (name.starts_with("[")) return name.substr(1, name.find(']') - 1);
  return name.substr(0, name.find(':'));
}

/// May somebody ask by that name who reaches `listening`? A foreign page can give its own name any address, but
/// cannot make a browser call it by an address.
bool is_own_name(const std::string& host_header, const std::string& listening) {
  const std::string name = name_in(host_header);
  if (is_loopback(name) || name == listening) return true;
  return !is_loopback(listening) && (is_ip4(name) || is_ip6(name));
}

void refuse_request(Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(why + "\n", "text/plain; charset=utf-8");
}

/// Of a number in a query; `otherwise` where there is none.
std::int64_t number_in(const Request& request, const char* name, std::int64_t otherwise) {
  const std::string text = request.get_param_value(name);
  std::int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::optional<double> learning_rate_in(const std::string& text) {
  constexpr double most = 1e6;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool is_rate = error == std::errc() && stop == end && value > 0 && value <= most;
  return is_rate ? std::optional(value) : std::nullopt;
}

/// What the page finds out by that it is live.
std::string with_facts(const std::string& html, const std::string& facts) {
  constexpr std::string_view mark = "<div id=\"page\">";
  const std::size_t at = html.find(mark);
  if (at == html.npos) fail<Error>("serve: the page that this program carries has no ", mark);
  return html.substr(0, at) + "<script type=\"application/json\" id=\"live\">" + facts +
         "</script>" + html.substr(at);
}

void listen_alone(socket_t socket) {
  const int yes = 1;  // not SO_REUSEPORT, by which two programs would share a port without knowing
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

}  // namespace

struct LiveServer::Http {
  ServeAddress address;
  const std::string token = new_token();
  LiveConnections server;
  Live live;
  std::optional<LivePage> page;
  std::thread thread;
  std::atomic<bool> has_ended{false};

  void configure();
  void add_routes();
  void add_wish(const char* path, const std::function<bool()>& wish);
  bool refuses(const Request& request, Response& response) const;
};

void LiveServer::Http::configure() {
  constexpr std::size_t threads = 8;  // of which a refresh, or one who sends nothing, takes one
  server.new_task_queue = [] { return new httplib::ThreadPool(threads); };
  server.set_socket_options(listen_alone);
  server.set_payload_max_length(LiveConnections::longest_body);
  server.set_default_headers({{"Cache-Control", "no-store"},
                              {"X-Content-Type-Options", "nosniff"},
                              {"X-Frame-Options", "DENY"},
                              {"Content-Security-Policy", "frame-ancestors 'none'"},
                              {"Cross-Origin-Resource-Policy", "same-origin"},
                              {"Referrer-Policy", "no-referrer"}});
  server.set_pre_routing_handler([this](const Request& request, Response& response) {
    return refuses(request, response) ? httplib::Server::HandlerResponse::Handled
                                      : httplib::Server::HandlerResponse::Unhandled;
  });
  server.set_exception_handler(
      [](const Request&, Response& response, const std::exception_ptr& thrown) {
        try {
          std::rethrow_exception(thrown);
        } catch (const NotNow& error) {
          refuse_request(response, http_not_now, error.what());
        } catch (const ValueError& error) {
          refuse_request(response, http_bad_request, error.what());
        } catch (const std::exception& error) {
          refuse_request(response, http_fault, printable(error.what()));
        }
      });
}

bool LiveServer::Http::refuses(const Request& request, Response& response) const {
  const std::string host = request.get_header_value("Host");
  if (request.get_header_value_count("Host") != 1 || !is_own_name(host, address.host)) {
    refuse_request(response, http_forbidden, "asked by the name of another host");
    return true;
  }
  const std::string origin = request.get_header_value("Origin");
  const std::size_t origins = request.get_header_value_count("Origin");
  if (origins > 1 || (origins == 1 && origin != "http://" + host)) {
    refuse_request(response, http_forbidden, "asked by a page from elsewhere");
    return true;
  }
  if (request.has_header("Content-Encoding")) {  // what is packed has no size before it is unpacked
    refuse_request(response, http_unsupported, "nothing that is packed is taken");
    return true;
  }
  if (request.method == "GET" || request.method == "HEAD") return false;
  if (request.get_header_value("X-Gradus-Token") == token) return false;
  refuse_request(response, http_forbidden,
                 "asked by a page that is not of this program: load it again");
  return true;
}

void LiveServer::Http::add_wish(const char* path, const std::function<bool()>& wish) {
  server.Post(path, [wish](const Request&, Response& response) {
    response.status = http_no_content;
    if (!wish()) refuse_request(response, http_conflict, "the training has ended");
  });
}

void LiveServer::Http::add_routes() {
  server.Get("/", [this](const Request&, Response& response) {
    const ShownPage shown = page->shown();
    response.set_content(with_facts(shown.html, to_live_json(shown, page->folder(), token)),
                         "text/html; charset=utf-8");
  });
  server.Get("/news", [this](const Request& request, Response& response) {
    response.set_content(
        to_json(live.news(number_in(request, "step", 0), number_in(request, "epoch", 0))),
        "application/json");
  });
  add_wish("/pause", [this] { return live.pause(); });
  add_wish("/go", [this] { return live.go_on(); });
  add_wish("/step", [this] { return live.step(); });
  server.Post("/rate", [this](const Request& request, Response& response) {
    const std::optional<double> lr = learning_rate_in(request.body);
    response.status = http_no_content;
    if (!lr) {
      refuse_request(response, http_bad_request,
                     "a learning rate is a number above 0, at most 1e6");
    } else if (!live.change_lr(*lr)) {
      refuse_request(response, http_conflict, "the training has ended");
    }
  });
  server.Post("/refresh", [this](const Request&, Response& response) {
    page->refresh();
    response.status = http_no_content;
  });
  server.Post("/guess", [this](const Request& request, Response& response) {
    response.set_content(to_json(page->guess(request.body)), "application/json");
  });
}

LiveServer::LiveServer(const char* operation, const ServeAddress& address)
    : http_(std::make_unique<Http>()) {
  if (address.host != "localhost" && !is_ip4(address.host) && !is_ip6(address.host))
    fail<UsageError>("--listen ", address.host, ": is no address, as 127.0.0.1 or ::1 are");
  http_->address = address;
  http_->configure();
  int& port = http_->address.port;
  errno = 0;
  const bool bound = port == 0 ? (port = http_->server.bind_to_any_port(address.host)) > 0
                               : http_->server.bind_to_port(address.host, port);
  if (bound) return;
  const int reason = errno;
  fail<UsageError>(operation, ": cannot listen on ", address.host, ", port ", address.port, ": ",
                   std::strerror(reason),
                   reason == EADDRINUSE ? "; --port 0 takes a free one" : "");
}

LiveServer::~LiveServer() {
  http_->live.close();
  if (!http_->thread.joinable()) return;
  // Before it runs, stop() is not heard.
  while (!http_->server.is_running() && !http_->has_ended) std::this_thread::yield();
  http_->server.close();
  http_->server.stop();
  http_->thread.join();
}

Live& LiveServer::live() { return http_->live; }

void LiveServer::show(const DataParts& data, const std::string& folder) {
  http_->page.emplace(http_->live, data, folder);
  http_->add_routes();
  http_->thread = std::thread([this] {
    http_->server.listen_after_bind();
    http_->has_ended = true;
  });
}

LivePage& LiveServer::page() { return *http_->page; }

std::string LiveServer::url() const {
  const std::string& host = http_->address.host;
  return "http://" + (is_ip6(host) ? "[" + host + "]" : host) + ":" +
         std::to_string(http_->address.port) + "/";
}

}  // namespace gradus::app
