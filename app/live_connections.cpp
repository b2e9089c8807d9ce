// A stream for httplib that counts bytes and looks at the clock.
#include "live_connections.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>

#include "stopwatch.h"

namespace gradus::app {
namespace {

constexpr std::chrono::seconds time_to_ask{5};      // a request of a page has a megabyte at most
constexpr std::chrono::seconds time_to_listen{60};  // a page may have many

class Connection final : public httplib::Stream {
 public:
  explicit Connection(socket_t socket) : socket_(socket) {}

  bool is_readable() const override { return begin_ < end_ || is_ready(POLLIN, ask_until_); }
  bool is_writable() const override {
    return is_ready(POLLOUT, listen_until_.value_or(Clock::now() + time_to_listen));
  }
  ssize_t read(char* bytes, std::size_t size) override;
  ssize_t write(const char* bytes, std::size_t size) override;
  // Who asks does not matter: a request is judged by what it says.
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  socket_t socket() const override { return socket_; }

 private:
  bool is_ready(short events, Clock::time_point until) const;
  bool is_too_long(const char* bytes, std::size_t size);

  socket_t socket_;
  Clock::time_point ask_until_ = Clock::now() + time_to_ask;
  std::optional<Clock::time_point> listen_until_;  // from the first byte of the answer on
  std::array<char, 4096> buffer_{};
  std::size_t begin_ = 0;  // of what is in the buffer and was not given away
  std::size_t end_ = 0;
  std::size_t given_ = 0;
  std::size_t line_ = 0;  // bytes of a line of the head that is not at its end
  bool in_head_ = true;
};

bool Connection::is_ready(short events, Clock::time_point until) const {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{.fd = socket_, .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

/// Counts what is given away. A head ends with an empty line.
bool Connection::is_too_long(const char* bytes, std::size_t size) {
  given_ += size;
  for (std::size_t i = 0; in_head_ && i < size; ++i) {
    if (bytes[i] != '\n') {
      ++line_;
    } else {
      in_head_ = line_ > 1;  // more than \r
      line_ = 0;
    }
  }
  constexpr std::size_t both = LiveConnections::longest_head + LiveConnections::longest_body;
  return given_ > (in_head_ ? LiveConnections::longest_head : both);
}

ssize_t Connection::read(char* bytes, std::size_t size) {
  if (begin_ == end_) {
    if (!is_ready(POLLIN, ask_until_)) return -1;
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) return got;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  const std::size_t count = std::min(size, end_ - begin_);
  std::copy_n(buffer_.data() + begin_, count, bytes);
  begin_ += count;
  return is_too_long(bytes, count) ? -1 : static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* bytes, std::size_t size) {
  if (!listen_until_) listen_until_ = Clock::now() + time_to_listen;
  if (!is_ready(POLLOUT, *listen_until_)) return -1;
  return ::send(socket_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

bool LiveConnections::open(socket_t socket) {
  const std::lock_guard lock(mutex_);
  if (!closed_) served_.insert(socket);
  return !closed_;
}

/// Under the lock, lest close() cuts off another connection that has got the same number.
void LiveConnections::end(socket_t socket) {
  const std::lock_guard lock(mutex_);
  served_.erase(socket);
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
}

bool LiveConnections::process_and_close_socket(socket_t socket) {
  bool answered = false;
  if (open(socket)) {
    Connection connection(socket);
    constexpr bool is_the_last = true;
    bool closes = false;
    answered = process_request(connection, is_the_last, closes, nullptr);
  }
  end(socket);
  return answered;
}

void LiveConnections::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const socket_t socket : served_) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace gradus::app
