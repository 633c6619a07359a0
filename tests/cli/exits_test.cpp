#include "apps/cli/exits.hpp"

#include <gtest/gtest.h>

namespace hasten::cli {
namespace {

struct ExitCase {
  Code code;
  int exit;
};

TEST(Exits, OfEveryCode) {
  const ExitCase cases[] = {
      {Code::unsupported, 1}, {Code::encrypted, 1},   {Code::corrupt, 1},     {Code::too_large, 1},
      {Code::timeout, 1},     {Code::empty, 1},       {Code::io, 1},          {Code::not_found, 1},
      {Code::invalid, 2},     {Code::mismatch, 1},    {Code::locked, 1},      {Code::full, 1},
      {Code::damaged, 1},     {Code::unavailable, 1}, {Code::cancelled, 130}, {Code::refused, 1},
      {Code::internal, 1},
  };
  for (const ExitCase& c : cases) EXPECT_EQ(static_cast<int>(exit_of(c.code)), c.exit) << to_string(c.code);
  EXPECT_EQ(std::size(cases), static_cast<std::size_t>(Code::internal) + 1) << "a code has no row";
}

}  // namespace
}  // namespace hasten::cli
