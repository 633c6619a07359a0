#include "caches/redis_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

#include "caches/done_once.hpp"
#include "caches/rankings.hpp"
#include "caches/redis_connection.hpp"
#include "hasten/error.hpp"

namespace hasten {
namespace {

using std::chrono::milliseconds;

/// KEYS[1] a value; ARGV: the expected one, the new one, milliseconds or 0.
constexpr std::string_view kReplace = R"(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1)";

/// KEYS[1] a ranking, whose scores are the counts below zero: so the highest comes first, of equal ones by
/// member. ARGV: how many members are kept; then of each a member, and how many to add.
constexpr std::string_view kCount = R"(
for i = 2, #ARGV, 2 do
  local by = tonumber(ARGV[i + 1])
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
    by = by - tonumber(redis.call('ZPOPMAX', KEYS[1])[2])
  end
  redis.call('ZINCRBY', KEYS[1], -by, ARGV[i])
end
return 1)";

/// "0": without end, also where that is further away than the server can count.
std::string milliseconds_of(milliseconds ttl) {
  constexpr milliseconds kMost = std::chrono::hours(24 * 365 * 100);
  return ttl > kMost ? "0" : std::to_string(std::max<milliseconds::rep>(ttl.count(), 0));
}

/// What only says that this one command was not done; every other error is the server's state (LOADING,
/// READONLY, MISCONF, NOAUTH).
bool is_of_command(const RedisReply& reply) {
  return reply.is_error("OOM") || reply.is_error("NOSCRIPT") || reply.is_error("WRONGTYPE");
}

void check(const std::vector<RedisReply>& replies) {
  for (const RedisReply& reply : replies) {
    if (reply.is_error() && !is_of_command(reply)) {
      throw Error(Code::unavailable, std::string(reply.text()));
    }
  }
}

/// What stands for itself in a pattern of SCAN.
std::string escaped(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

/// Unlinks some of the keys that match. @return where to go on, "0" at the end.
std::string unlink_some(const std::string& cursor, const std::string& pattern,
                        const std::function<std::vector<RedisReply>(const RedisCommands&)>& ask) {
  const auto replies = ask({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"});
  const auto parts = replies.front().elements();
  if (parts.size() != 2) throw Error(Code::unavailable, "no answer to SCAN");
  std::vector<std::string_view> words{"UNLINK"};
  for (std::size_t i = 0; i < parts[1]->elements; ++i) {
    words.emplace_back(parts[1]->element[i]->str, parts[1]->element[i]->len);
  }
  if (words.size() > 1) {
    RedisCommands unlink;
    unlink.add(words);
    ask(unlink);
  }
  return {parts[0]->str, parts[0]->len};
}

}  // namespace

struct RedisCache::Answer {
  bool came = false;
  std::string late;  ///< the connection on which a command without an answer may still be done
  std::vector<RedisReply> replies;

  bool is_error(std::string_view word) const { return came && replies.front().is_error(word); }
};

RedisCache::RedisCache(const Options& options)
    : options_(options),
      server_(ServerAddress::parse(options.url, "redis", 6379)),
      breaker_(options.retry_after),
      pool_(options.connections) {
  if (!options.password.empty()) server_.password = options.password;
  replace_.text = kReplace;
  count_.text = kCount;
  if (options.name_space.empty() || options.name_space.find(':') != std::string::npos) {
    throw Error(Code::invalid, fmt::format("the namespace of a cache must be a word without ':', it is '{}'",
                                           options.name_space));
  }
  if (!std::ranges::all_of(server_.path, [](char c) { return c >= '0' && c <= '9'; })) {
    throw Error(Code::invalid, fmt::format("a database of Redis must be a number, it is '{}'", server_.path));
  }
}

RedisCache::~RedisCache() = default;

std::string RedisCache::where() const {
  const std::string error = breaker_.error();
  return fmt::format("redis at {}/{}{}{}", server_.to_string(), server_.path.empty() ? "0" : server_.path,
                     error.empty() ? "" : ": ", error);
}

std::string RedisCache::name_of(std::string_view kind, std::string_view key) const {
  return fmt::format("{}:{}:{}", options_.name_space, kind, key);
}

RedisCache::Answer RedisCache::ask(const RedisCommands& commands, DoneOnce* meanwhile) {
  Answer answer;
  const Clock::time_point start = Clock::now();
  Clock::time_point deadline = start + options_.timeout;
  if (breaker_.is_open()) {
    ++counters_.skipped;
    return answer;
  }
  auto loan = pool_.borrow(deadline, meanwhile);
  if (meanwhile != nullptr) deadline += meanwhile->took();
  if (!loan) {
    ++counters_.errors;
    return answer;
  }
  if (!breaker_.allows()) {  // others found out while this one waited for a connection
    ++counters_.skipped;
    return answer;
  }
  try {
    auto& connection = loan.connection;
    if (connection && !connection->is_usable()) connection.reset();
    if (!connection) {
      const Clock::time_point connected_by = std::min(deadline, Clock::now() + options_.connect_timeout);
      connection = std::make_unique<RedisConnection>(server_, connected_by, deadline);
    }
    const bool settled = doubts_.settle(
        [&](const DoubtfulKeys::Doubts& doubts) { return erase_doubts(*connection, doubts, deadline); });
    if (!settled) throw Error(Code::timeout, "older values are not erased yet");
    answer.late = connection->name();
    connection->send(commands, deadline);
    if (meanwhile != nullptr) {
      (*meanwhile)();
      deadline = start + options_.timeout + meanwhile->took();
    }
    answer.replies = connection->receive(commands.count(), deadline);
    check(answer.replies);
    answer.came = true;
    breaker_.worked();
  } catch (const Error& error) {
    loan.connection.reset();
    ++counters_.errors;
    breaker_.failed(error.what());
  }
  return answer;
}

RedisCache::Answer RedisCache::run(Script& script, std::string_view name,
                                   std::span<const std::string_view> arguments) {
  std::string sha;
  {
    const std::lock_guard lock(script.mutex);
    sha = script.sha;
  }
  if (sha.empty()) {
    Answer loaded = ask({"SCRIPT", "LOAD", script.text});
    if (!loaded.came || !loaded.replies.front().is_text()) return loaded;
    sha = loaded.replies.front().text();
    const std::lock_guard lock(script.mutex);
    script.sha = sha;
  }
  std::vector<std::string_view> words{"EVALSHA", sha, "1", name};
  words.insert(words.end(), arguments.begin(), arguments.end());
  RedisCommands by_name;
  by_name.add(words);
  Answer answer = ask(by_name);
  if (!answer.is_error("NOSCRIPT")) return answer;
  words[0] = "EVAL";
  words[1] = script.text;
  RedisCommands by_text;
  by_text.add(words);
  return ask(by_text);
}

/// @return false: not all of them yet. @throws Error(unavailable|timeout)
bool RedisCache::erase_doubts(RedisConnection& connection, const DoubtfulKeys::Doubts& doubts,
                              Clock::time_point deadline) {
  RedisCommands end_late;
  for (const std::string& late : doubts.late) {
    std::vector<std::string_view> words{"CLIENT", "KILL"};
    for (std::string_view rest = late; !rest.empty();) {
      words.push_back(rest.substr(0, rest.find(' ')));
      rest.remove_prefix(std::min(rest.size(), words.back().size() + 1));
    }
    end_late.add(words);
  }
  connection.ask(end_late, deadline);  // one that has ended, or that we may not end, is an error
  if (doubts.all) {
    erase_all(connection, deadline);
    return cursor_ == "0";
  }
  RedisCommands erase;
  for (const std::string& key : doubts.keys) erase.add({"UNLINK", name_of("v", key)});
  check(connection.ask(erase, deadline));
  return true;
}

/// Goes on until half of the time that is left is over.
void RedisCache::erase_all(RedisConnection& connection, Clock::time_point deadline) {
  const Clock::time_point pause = Clock::now() + (deadline - Clock::now()) / 2;
  const std::string from = std::exchange(cursor_, std::string("0"));  // after a failure from the beginning
  const auto ask = [&](const RedisCommands& commands) {
    auto replies = connection.ask(commands, deadline);
    check(replies);
    return replies;
  };
  std::string cursor = from;
  do {
    cursor = unlink_some(cursor, fmt::format("{}:v:*", escaped(options_.name_space)), ask);
  } while (cursor != "0" && Clock::now() < pause);
  cursor_ = cursor;
}

std::optional<std::string> RedisCache::get(std::string_view key, const Meanwhile& meanwhile) {
  DoneOnce done(meanwhile);
  const Answer answer = ask({"GET", name_of("v", key)}, &done);
  const bool hit = answer.came && answer.replies.front().is_text();
  counters_.count_get(hit);
  if (!hit) return std::nullopt;
  return std::string(answer.replies.front().text());
}

std::vector<std::optional<std::string>> RedisCache::get(std::span<const std::string> keys) {
  std::vector<std::optional<std::string>> values(keys.size());
  if (keys.empty()) return values;
  std::vector<std::string> names;
  for (const std::string& key : keys) names.push_back(name_of("v", key));
  std::vector<std::string_view> words{"MGET"};
  words.insert(words.end(), names.begin(), names.end());
  RedisCommands commands;
  commands.add(words);
  const Answer answer = ask(commands);
  if (answer.came) {
    const auto found = answer.replies.front().elements();
    for (std::size_t i = 0; i < std::min(found.size(), keys.size()); ++i) {
      if (found[i]->type == REDIS_REPLY_STRING) values[i].emplace(found[i]->str, found[i]->len);
    }
  }
  for (const auto& value : values) counters_.count_get(value.has_value());
  return values;
}

/// A value that is not kept leaves none: neither does the server then hold what was there before.
void RedisCache::refuse(std::string_view key) {
  ++counters_.refused;
  erase(key);
}

void RedisCache::put(std::string_view key, std::string_view value, milliseconds ttl) {
  if (value.size() > options_.value_bytes_max) return refuse(key);
  const std::string name = name_of("v", key), end = milliseconds_of(ttl);
  const Answer answer =
      ask(end == "0" ? RedisCommands{"SET", name, value} : RedisCommands{"SET", name, value, "PX", end});
  if (!answer.came) return doubts_.add(key, answer.late);
  if (answer.replies.front().is_error()) return refuse(key);
  ++counters_.puts;
}

bool RedisCache::replace(std::string_view key, std::string_view expected, std::string_view value,
                         milliseconds ttl) {
  const std::string name = name_of("v", key), end = milliseconds_of(ttl);
  const bool fits = value.size() <= options_.value_bytes_max;
  const std::vector<std::string_view> arguments{expected, fits ? value : expected, end};
  const Answer answer = run(replace_, name, arguments);
  if (!answer.came) {
    doubts_.add(key, answer.late);
    return false;
  }
  const RedisReply& reply = answer.replies.front();
  const bool replaced = reply.integer() == 1;
  if (reply.is_error() || (replaced && !fits)) {
    refuse(key);
    return false;
  }
  if (replaced) ++counters_.puts;
  return replaced;
}

bool RedisCache::erase(std::string_view key) {
  const Answer answer = ask({"UNLINK", name_of("v", key)});
  if (!answer.came) doubts_.add(key, answer.late);
  return answer.came;
}

bool RedisCache::clear() {
  const auto ask_or_throw = [&](const RedisCommands& commands) {
    Answer answer = ask(commands);
    if (!answer.came) throw Error(Code::unavailable, "no answer");
    return std::move(answer.replies);
  };
  try {
    std::string cursor = "0";
    do {
      cursor = unlink_some(cursor, fmt::format("{}:*", escaped(options_.name_space)), ask_or_throw);
    } while (cursor != "0");
    return true;
  } catch (const Error&) {
    doubts_.add_all();
    return false;
  }
}

void RedisCache::count(std::string_view ranking, std::span<const Counted> members) {
  std::vector<std::string> counts{std::to_string(kRankingMembers)};
  for (const Counted& one : members) counts.push_back(std::to_string(one.by));
  std::vector<std::string_view> arguments{counts.front()};
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].member.size() > kRankingMemberBytes) continue;
    arguments.insert(arguments.end(), {members[i].member, counts[i + 1]});
  }
  if (arguments.size() > 1) run(count_, name_of("r", ranking), arguments);
}

std::vector<std::pair<std::string, std::uint64_t>> RedisCache::top(std::string_view ranking, std::size_t n) {
  std::vector<std::pair<std::string, std::uint64_t>> highest;
  if (n == 0) return highest;
  const std::string last = std::to_string(std::min(n, kRankingMembers) - 1);
  const Answer answer = ask({"ZRANGE", name_of("r", ranking), "0", last, "WITHSCORES"});
  if (!answer.came) return highest;
  const auto found = answer.replies.front().elements();
  for (std::size_t i = 0; i + 1 < found.size(); i += 2) {
    const double count = -std::strtod(found[i + 1]->str, nullptr);
    highest.emplace_back(std::string(found[i]->str, found[i]->len), static_cast<std::uint64_t>(count));
  }
  return highest;
}

}  // namespace hasten
