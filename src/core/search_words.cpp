// The words of search.hpp, and what is said of those that are none.
#include "base/enum_words.hpp"
#include "hasten/search.hpp"

namespace hasten {
namespace {

constexpr EnumWords<Mode, 3> kModes{
    {{Mode::hybrid, "hybrid"}, {Mode::vector, "vector"}, {Mode::bm25, "bm25"}}};
constexpr EnumWords<Fusion, 5> kFusions{{{Fusion::reciprocal_ranks, "reciprocal_ranks"},
                                         {Fusion::weights, "weights"},
                                         {Fusion::calibrated, "calibrated"},
                                         {Fusion::shares, "shares"},
                                         {Fusion::priorities, "priorities"}}};
constexpr EnumWords<Priority, 4> kPriorities{{{Priority::high, "high"},
                                              {Priority::normal, "normal"},
                                              {Priority::low, "low"},
                                              {Priority::ignore, "ignore"}}};

}  // namespace

std::string_view to_string(Mode mode) noexcept { return word_of(mode, kModes); }
std::string_view to_string(Fusion fusion) noexcept { return word_of(fusion, kFusions); }
std::string_view to_string(Priority priority) noexcept { return word_of(priority, kPriorities); }
Mode mode_from_string(std::string_view word) { return value_of(word, "mode", kModes); }
Fusion fusion_from_string(std::string_view word) { return value_of(word, "fusion", kFusions); }
Priority priority_from_string(std::string_view word) { return value_of(word, "priority", kPriorities); }

}  // namespace hasten
