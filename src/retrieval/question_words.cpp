#include "retrieval/question_words.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/utf8.hpp"
#include "text/dictionary.hpp"
#include "text/folding.hpp"

namespace hasten {
namespace {

using enum QuestionPart;

// What may stand before a question and say nothing of it. "hello:" wants a pause behind it.
constexpr std::string_view kBegins[] = {"hi",
                                        "hi there",
                                        "hello",
                                        "hello there",
                                        "hey",
                                        "hey there",
                                        "dear",
                                        "good morning",
                                        "good afternoon",
                                        "good evening",
                                        "please",
                                        "pls",
                                        "kindly",
                                        "ok",
                                        "okay",
                                        "so,",
                                        "well,",
                                        "question:",
                                        "my question:",
                                        "my question is",
                                        "quick question",
                                        "a quick question",
                                        "i have a question",
                                        "excuse me",
                                        "sorry,",
                                        "tell me",
                                        "please tell me",
                                        "explain",
                                        "can you tell me",
                                        "could you tell me",
                                        "would you tell me",
                                        "can you please tell me",
                                        "could you please tell me",
                                        "can you explain",
                                        "could you explain",
                                        "could you please explain",
                                        "can you please explain",
                                        "please explain",
                                        "please explain to me",
                                        "explain to me",
                                        "do you know",
                                        "do you happen to know",
                                        "does anyone know",
                                        "does anybody know",
                                        "anyone know",
                                        "i would like to know",
                                        "i d like to know",
                                        "i want to know",
                                        "i wanted to know",
                                        "i need to know",
                                        "i wish to know",
                                        "i am curious",
                                        "i m curious",
                                        "i wonder",
                                        "i was wondering",
                                        "i am wondering",
                                        "i m wondering",
                                        "i would like to ask",
                                        "i d like to ask",
                                        "i want to ask",
                                        "may i ask",
                                        "can i ask",
                                        "could i ask",
                                        "let me know",
                                        "please let me know",
                                        "please help",
                                        "help me,",
                                        "please answer",
                                        "answer this:",
                                        "just wondering",
                                        "just curious",
                                        "请",
                                        "请问",
                                        "请问一下",
                                        "请教",
                                        "请教一下",
                                        "请告诉我",
                                        "请你告诉我",
                                        "请您告诉我",
                                        "请帮我查一下",
                                        "请帮忙查一下",
                                        "告诉我",
                                        "能告诉我",
                                        "能不能告诉我",
                                        "可以告诉我",
                                        "可不可以告诉我",
                                        "可否告诉我",
                                        "你能告诉我",
                                        "您能告诉我",
                                        "你可以告诉我",
                                        "您可以告诉我",
                                        "谁能告诉我",
                                        "有谁知道",
                                        "有人知道",
                                        "你知道",
                                        "您知道",
                                        "你知不知道",
                                        "我想知道",
                                        "我想问",
                                        "我想问一下",
                                        "我想问问",
                                        "我要问",
                                        "我想请问",
                                        "我想请教",
                                        "我想了解",
                                        "我想了解一下",
                                        "想知道",
                                        "想问",
                                        "想问一下",
                                        "想问问",
                                        "想请问",
                                        "想了解一下",
                                        "问一下",
                                        "问下",
                                        "帮忙查一下",
                                        "帮我查一下",
                                        "帮查一下",
                                        "帮忙查查",
                                        "帮我查查",
                                        "帮我查",
                                        "查一下",
                                        "帮忙看一下",
                                        "帮我看一下",
                                        "麻烦",
                                        "麻烦问一下",
                                        "麻烦问下",
                                        "麻烦告诉我",
                                        "麻烦帮我查一下",
                                        "劳驾",
                                        "不好意思",
                                        "打扰一下",
                                        "你好",
                                        "您好",
                                        "你们好",
                                        "大家好",
                                        "嗨",
                                        "喂,",
                                        "那么,",
                                        "问题:",
                                        "我的问题是",
                                        "有个问题"};
constexpr std::string_view kEnds[] = {"please",
                                      "pls",
                                      "thanks",
                                      "thanks a lot",
                                      "many thanks",
                                      "thanks in advance",
                                      "thank you",
                                      "thank you very much",
                                      "thank you so much",
                                      "thank you in advance",
                                      "thx",
                                      "cheers",
                                      "do you know",
                                      "please help",
                                      "can you tell me",
                                      "please tell me",
                                      "please explain",
                                      "can you explain",
                                      "can you help",
                                      "can you help me",
                                      "any ideas",
                                      "any idea",
                                      "谢谢",
                                      "谢谢你",
                                      "谢谢您",
                                      "多谢",
                                      "感谢",
                                      "谢了",
                                      "非常感谢",
                                      "麻烦了",
                                      "呢",
                                      "吗",
                                      "啊",
                                      "呀",
                                      "吧",
                                      "嘛",
                                      "呐",
                                      "哦"};

struct Row {
  std::string_view phrases;  // separated by |
  std::string_view form;
  QuestionPart part;
};
constexpr Row kRows[] = {
    // which kind of answer
    {"who|whom|谁|哪个人|哪位|哪一位|什么人|何人|哪些人|哪一个人|哪几个人", "?who", asks},
    {"whose|谁的|哪个人的|什么人的", "?whose", asks},
    {"when|at what time|at which time|what time|何时|什么时候|什么时间|哪个时候|啥时候|几时|甚么时候",
     "?when", asks},
    {"where|at what place|in what "
     "place|哪里|哪儿|何处|何地|什么地方|哪个地方|啥地方|甚么地方|什么地点|哪个地点",
     "?where", asks},
    {"why|how come|for what reason|for which reason|为什么|为何|为啥|何故|何以|因何|为甚么|什么原因|因为什么",
     "?why", asks},
    {"how many|how much|多少|几多|若干", "?how_many", asks},
    {"how long|多久|多长|多长时间|多少时间", "?how_long", asks},
    {"how often|how frequently|多久一次|每隔多久", "?how_often", asks},
    {"how far|多远", "?how_far", asks},
    {"how old|多大年纪|多大岁数|多少岁|几岁", "?how_old", asks},
    {"how big|how large|多大", "?how_large", asks},
    {"how high|how tall|多高", "?how_high", asks},
    {"how|in what way|in which way|in which ways|in what ways|by what "
     "means|怎么|怎样|如何|怎么样|咋|咋样|怎样才能|"
     "怎么才能|如何才能|什么样的方式|何等方式|怎麽",
     "?how", asks},
    {"what|which|什么|哪|哪个|哪一个|哪些|哪种|哪一种|啥|何|甚么|何种|什么样|什麽|哪样|哪一|哪几", "?what",
     asks},
    {"几", "?how_many", asks},
    // 年 after it would else be read as the unit of a number
    {"哪年|哪一年|何年|什么年份|哪个年份|what year|which year", "?what_year", asks},
    // yes or no
    {"是不是|是否|是否是", "是", light},
    {"能不能|能否", "能", content},
    {"会不会|会否", "会", content},
    {"可不可以|可否", "可以", content},
    {"有没有|有无", "有", content},
    {"要不要", "要", content},
    {"该不该|应不应该|应否", "应该", content},
    // who does not
    {"not|never|no|none|nor|neither|nothing|nobody|nowhere|without|hardly", "", negation},
    {"cannot", "can not", negation},
    {"不|未|非|无|从不", "", negation},
    {"没|没有", "没", negation},
    // not negations, though written with the characters of them
    {"不过|不仅|不但|不同|不断|不列颠|不丹|非洲|非常|无锡|未来", "", content},
    // what may be missing
    {"a|an|the|is|are|was|were|be|been|being|am|do|does|did|of|there|s|re|ve|ll|d|m", "", light},
    {"的|了|是|在|于|指的|指的是|是指|所指|之|呢|吗|啊|呀|吧|嘛|着|到底|究竟|地|得|都|也|就|一下|其", "",
     light},
    // one word for another
    {"united states|united states of america|u.s|u.s.a|usa", "usa", content},
    {"united kingdom|u.k|uk", "uk", content},
    {"european union|e.u|eu", "eu", content},
    {"doesnt|dont|didnt|isnt|arent|wasnt|werent|havent|hasnt", "not", negation},
    {"cant|couldnt|wont|wouldnt|shouldnt", "can not", negation},
    // measures that must not be read as numerals
    {"一些|一种|一样|一般|一直|一起|一致|统一|唯一|万一|一定|一共|一旦|千万别|十分", "", content},
};

// Words of which one excludes the other.
constexpr std::pair<std::string_view, std::string_view> kOpposites[] = {{"more", "less"},
                                                                        {"more", "fewer"},
                                                                        {"most", "least"},
                                                                        {"most", "fewest"},
                                                                        {"high", "low"},
                                                                        {"higher", "lower"},
                                                                        {"highest", "lowest"},
                                                                        {"large", "small"},
                                                                        {"larger", "smaller"},
                                                                        {"largest", "smallest"},
                                                                        {"big", "small"},
                                                                        {"bigger", "smaller"},
                                                                        {"biggest", "smallest"},
                                                                        {"long", "short"},
                                                                        {"longer", "shorter"},
                                                                        {"longest", "shortest"},
                                                                        {"old", "new"},
                                                                        {"old", "young"},
                                                                        {"older", "newer"},
                                                                        {"older", "younger"},
                                                                        {"oldest", "newest"},
                                                                        {"oldest", "youngest"},
                                                                        {"early", "late"},
                                                                        {"earlier", "later"},
                                                                        {"earliest", "latest"},
                                                                        {"first", "last"},
                                                                        {"fast", "slow"},
                                                                        {"faster", "slower"},
                                                                        {"fastest", "slowest"},
                                                                        {"good", "bad"},
                                                                        {"better", "worse"},
                                                                        {"best", "worst"},
                                                                        {"increase", "decrease"},
                                                                        {"increased", "decreased"},
                                                                        {"increasing", "decreasing"},
                                                                        {"increase", "reduce"},
                                                                        {"increased", "reduced"},
                                                                        {"increasing", "reducing"},
                                                                        {"rise", "fall"},
                                                                        {"raise", "lower"},
                                                                        {"before", "after"},
                                                                        {"start", "end"},
                                                                        {"begin", "end"},
                                                                        {"beginning", "end"},
                                                                        {"open", "close"},
                                                                        {"opened", "closed"},
                                                                        {"buy", "sell"},
                                                                        {"bought", "sold"},
                                                                        {"send", "receive"},
                                                                        {"sent", "received"},
                                                                        {"enable", "disable"},
                                                                        {"activate", "deactivate"},
                                                                        {"add", "remove"},
                                                                        {"add", "subtract"},
                                                                        {"import", "export"},
                                                                        {"able", "unable"},
                                                                        {"possible", "impossible"},
                                                                        {"legal", "illegal"},
                                                                        {"allowed", "forbidden"},
                                                                        {"with", "without"},
                                                                        {"upper", "lower"},
                                                                        {"inside", "outside"},
                                                                        {"above", "below"},
                                                                        {"over", "under"},
                                                                        {"win", "lose"},
                                                                        {"won", "lost"},
                                                                        {"male", "female"},
                                                                        {"men", "women"},
                                                                        {"man", "woman"},
                                                                        {"boy", "girl"},
                                                                        {"north", "south"},
                                                                        {"east", "west"},
                                                                        {"northern", "southern"},
                                                                        {"eastern", "western"},
                                                                        {"left", "right"},
                                                                        {"minimum", "maximum"},
                                                                        {"min", "max"},
                                                                        {"advantage", "disadvantage"},
                                                                        {"pro", "con"},
                                                                        {"birth", "death"},
                                                                        {"born", "died"},
                                                                        {"married", "divorced"},
                                                                        {"positive", "negative"},
                                                                        {"activate", "inhibit"},
                                                                        {"activates", "inhibits"},
                                                                        {"promote", "inhibit"},
                                                                        {"up", "down"},
                                                                        {"in", "out"},
                                                                        {"on", "off"},
                                                                        {"install", "uninstall"},
                                                                        {"encrypt", "decrypt"},
                                                                        {"to", "from"},
                                                                        {"credit", "debit"},
                                                                        {"virtual", "physical"},
                                                                        {"deposit", "withdraw"},
                                                                        {"deposit", "withdrawal"},
                                                                        {"大", "小"},
                                                                        {"多", "少"},
                                                                        {"高", "低"},
                                                                        {"长", "短"},
                                                                        {"早", "晚"},
                                                                        {"前", "后"},
                                                                        {"新", "旧"},
                                                                        {"快", "慢"},
                                                                        {"好", "坏"},
                                                                        {"优", "缺"},
                                                                        {"增", "减"},
                                                                        {"升", "降"},
                                                                        {"上", "下"},
                                                                        {"内", "外"},
                                                                        {"左", "右"},
                                                                        {"东", "西"},
                                                                        {"南", "北"},
                                                                        {"男", "女"},
                                                                        {"生", "死"},
                                                                        {"生", "卒"},
                                                                        {"买", "卖"},
                                                                        {"进", "出"},
                                                                        {"开", "关"},
                                                                        {"始", "终"},
                                                                        {"始", "末"},
                                                                        {"首", "末"},
                                                                        {"正", "负"},
                                                                        {"胜", "败"},
                                                                        {"胜", "负"},
                                                                        {"赢", "输"},
                                                                        {"加", "减"},
                                                                        {"轻", "重"},
                                                                        {"父", "母"},
                                                                        {"夫", "妻"},
                                                                        {"兄", "弟"},
                                                                        {"结", "离"}};

std::vector<std::string> texts_of(std::string_view phrase) {
  std::vector<std::string> texts;
  for (QuestionAtom& atom : question_atoms(phrase)) texts.push_back(std::move(atom.text));
  return texts;
}

/// Phrases by their first atom, longest first.
struct PhraseTable {
  std::unordered_map<std::string, std::vector<QuestionPhrase>> by_first;

  PhraseTable() {
    for (const Row& row : kRows) {
      for (std::size_t from = 0; from <= row.phrases.size();) {
        const std::size_t to = std::min(row.phrases.find('|', from), row.phrases.size());
        add(row.phrases.substr(from, to - from), row);
        from = to + 1;
      }
    }
    for (auto& [first, phrases] : by_first) {
      std::ranges::stable_sort(phrases, std::ranges::greater(), [](const auto& p) { return p.atoms.size(); });
    }
  }

  void add(std::string_view phrase, const Row& row) {
    std::vector<std::string> atoms = texts_of(phrase);
    const std::string_view form = row.form.empty() ? phrase : row.form;
    auto& same_first = by_first[atoms.front()];
    same_first.push_back({std::move(atoms), std::string(form), row.part});
  }
};

/// Courtesies by their outer atom: whether a pause must follow, and the atoms.
struct CourtesyTable {
  struct Courtesy {
    std::vector<std::string> atoms;
    bool pause;
  };
  std::unordered_map<std::string, std::vector<Courtesy>> by_outer;

  CourtesyTable(std::span<const std::string_view> phrases, bool at_begin) {
    for (const std::string_view phrase : phrases) {
      const bool pause = phrase.ends_with(':') || phrase.ends_with(',');
      std::vector<std::string> atoms = texts_of(phrase);
      auto& same_outer = by_outer[at_begin ? atoms.front() : atoms.back()];
      same_outer.push_back({std::move(atoms), pause});
    }
    for (auto& [outer, courtesies] : by_outer) {
      std::ranges::stable_sort(courtesies, std::ranges::greater(),
                               [](const auto& c) { return c.atoms.size(); });
    }
  }
};

bool equal_texts(std::span<const QuestionAtom> atoms, std::span<const std::string> texts) {
  return std::ranges::equal(atoms, texts, {}, &QuestionAtom::text);
}

bool means_something(char32_t c) {
  constexpr std::u32string_view kSigns = U"<>=≤≥≠+±×÷^°%$£€¥√∞";
  return kSigns.find(c) != std::u32string_view::npos;
}

bool ends_clause(char32_t c) {
  constexpr std::u32string_view kPauses = U",:;.!?，：；。！？、…";
  return kPauses.find(c) != std::u32string_view::npos;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Words with a capital letter that no beginning of a sentence explains. None where nothing is in lower case.
std::unordered_set<std::string> names_of(std::string_view text) {
  std::unordered_set<std::string> names;
  bool lower = false, begins = true;
  for (std::size_t at = 0; at < text.size();) {
    const auto here = static_cast<unsigned char>(text[at]);
    if (class_of(here < 0x80 ? here : U' ') != CharacterClass::letter) {
      if (here < 0x80 && ends_clause(here)) begins = here != ',';
      ++at;
      continue;
    }
    const std::size_t from = at;
    bool capital = false, all_capital = true;
    for (; at < text.size() && class_of(static_cast<unsigned char>(text[at])) == CharacterClass::letter;
         ++at) {
      const bool upper = text[at] >= 'A' && text[at] <= 'Z';
      lower = lower || !upper;
      capital = capital || (upper && (at > from || !begins));
      all_capital = all_capital && upper;
    }
    if ((capital || (all_capital && at - from > 1)) && at - from > 1)
      names.insert(fold(text.substr(from, at - from)));
    begins = false;
  }
  if (!lower) names.clear();
  return names;
}

bool is_han_atom(const QuestionAtom& atom) { return utf8::is_han(utf8::decode(atom.text, 0).code_point); }

/// Cuts a folded text.
class AtomCutter {
 public:
  explicit AtomCutter(std::string_view text) : text_(text) {}

  std::vector<QuestionAtom> cut() && {
    const Dictionary& characters = dictionary();
    while (at_ < text_.size()) {
      const auto [c, size] = utf8::decode(text_, at_);
      const CharacterClass kind = class_of(c);
      if (kind == CharacterClass::letter || kind == CharacterClass::digit) {
        cut_word();
      } else if (kind == CharacterClass::han || kind == CharacterClass::unspaced || means_something(c)) {
        utf8::append(atoms_.emplace_back().text, kind == CharacterClass::han ? characters.simplified(c) : c);
        at_ += size;
      } else {
        if (ends_clause(c) && !atoms_.empty()) atoms_.back().pause = true;
        at_ += size;
      }
    }
    return std::move(atoms_);
  }

 private:
  CharacterClass kind_at(std::size_t at) const {
    return at < text_.size() ? class_of(utf8::decode(text_, at).code_point) : CharacterClass::other;
  }
  bool is_word(CharacterClass kind) const {
    return kind == CharacterClass::letter || kind == CharacterClass::digit || kind == CharacterClass::mark;
  }

  /// A run of digits, or of letters; 1.5, 1,000, u.s.a and c++ are one.
  void cut_word() {
    const std::size_t from = at_;
    const bool digits = is_digit(text_[at_]);
    while (at_ < text_.size()) {
      const auto [c, size] = utf8::decode(text_, at_);
      if (is_word(class_of(c)) && (c < 128 && is_digit(static_cast<char>(c))) == digits) {
        at_ += size;
      } else if (const std::size_t n = joint(digits, from); n > 0) {
        at_ += n;
      } else {
        break;
      }
    }
    std::string word(text_.substr(from, at_ - from));
    if (digits) {
      std::erase(word, ',');
    } else if (word.size() == 1 &&
               (text_.substr(at_).starts_with("++") || text_.substr(at_).starts_with('#'))) {
      const std::size_t n = text_[at_] == '#' ? 1 : 2;
      word += text_.substr(at_, n);
      at_ += n;
    }
    if (digits && from > 0 && text_[from - 1] == '-' && (from == 1 || text_[from - 2] == ' '))
      word.insert(word.begin(), '-');
    add_contracted(std::move(word));
  }

  /// Bytes of what joins two parts of one word here.
  std::size_t joint(bool digits, std::size_t from) const {
    const char c = text_[at_];
    const CharacterClass next = kind_at(at_ + 1);
    if (digits) {
      if (c == '.') return next == CharacterClass::digit ? 1 : 0;
      const auto digit = [&](std::size_t i) { return at_ + i < text_.size() && is_digit(text_[at_ + i]); };
      return c == ',' && digit(1) && digit(2) && digit(3) && !digit(4) ? 1 : 0;
    }
    // U.S.: single letters with stops between them.
    const bool single = at_ - from == 1 || (at_ - from >= 2 && text_[at_ - 2] == '.');
    return c == '.' && single && next == CharacterClass::letter && kind_at(at_ + 2) != CharacterClass::letter
               ? 1
               : 0;
  }

  /// don't -> do not; what's -> what s.
  void add_contracted(std::string word) {
    constexpr std::string_view kCurly = "’";
    const std::string_view rest = text_.substr(at_);
    const std::size_t mark = rest.starts_with('\'') ? 1 : rest.starts_with(kCurly) ? kCurly.size() : 0;
    if (mark > 0 && word.ends_with('n') && rest.substr(mark).starts_with('t') &&
        !is_word(kind_at(at_ + mark + 1))) {
      at_ += mark + 1;
      word.pop_back();
      if (word == "ca") word = "can";
      if (word == "wo") word = "will";
      if (word == "sha") word = "shall";
      atoms_.push_back({std::move(word)});
      atoms_.push_back({"not"});
      return;
    }
    atoms_.push_back({std::move(word)});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<QuestionAtom> atoms_;
};

}  // namespace

std::vector<QuestionAtom> question_atoms(std::string_view text) {
  const std::string folded = fold(text);
  std::vector<QuestionAtom> atoms = AtomCutter(folded).cut();
  const auto names = names_of(text);
  const bool chinese = std::ranges::any_of(atoms, is_han_atom);
  for (QuestionAtom& atom : atoms) {
    const bool latin = atom.text.size() > 1 && atom.text[0] >= 'a' && atom.text[0] <= 'z';
    atom.name = (chinese && latin) || names.contains(atom.text);
  }
  return atoms;
}

std::size_t courtesy_at_begin(std::span<const QuestionAtom> atoms) {
  static const CourtesyTable table(kBegins, true);
  if (atoms.empty()) return 0;
  const auto found = table.by_outer.find(atoms.front().text);
  if (found == table.by_outer.end()) return 0;
  for (const auto& [texts, pause] : found->second) {
    const std::size_t n = texts.size();
    if (n < atoms.size() && equal_texts(atoms.first(n), texts) && (!pause || atoms[n - 1].pause)) return n;
  }
  return 0;
}

std::size_t courtesy_at_end(std::span<const QuestionAtom> atoms) {
  static const CourtesyTable table(kEnds, false);
  if (atoms.empty()) return 0;
  const auto found = table.by_outer.find(atoms.back().text);
  if (found == table.by_outer.end()) return 0;
  for (const auto& [texts, pause] : found->second) {
    const std::size_t n = texts.size();
    if (n < atoms.size() && equal_texts(atoms.last(n), texts)) return n;
  }
  return 0;
}

const QuestionPhrase* phrase_at_begin(std::span<const QuestionAtom> atoms) {
  static const PhraseTable table;
  const auto found = table.by_first.find(atoms.front().text);
  if (found == table.by_first.end()) return nullptr;
  for (const QuestionPhrase& phrase : found->second) {
    const std::size_t n = phrase.atoms.size();
    if (n <= atoms.size() && equal_texts(atoms.first(n), phrase.atoms)) return &phrase;
  }
  return nullptr;
}

std::pair<std::string_view, std::string_view> opposites(std::span<const QuestionToken> a,
                                                        std::span<const QuestionToken> b) {
  static const auto table = [] {
    std::unordered_map<std::string_view, std::vector<std::string_view>> both;
    for (const auto& [one, other] : kOpposites) {
      both[one].push_back(other);
      both[other].push_back(one);
    }
    return both;
  }();
  const auto has = [](std::span<const QuestionToken> tokens, std::string_view text) {
    return std::ranges::find(tokens, text, &QuestionToken::text) != tokens.end();
  };
  for (const QuestionToken& token : a) {
    const auto found = table.find(token.text);
    if (found == table.end() || has(b, token.text)) continue;
    for (const std::string_view other : found->second) {
      if (has(b, other) && !has(a, other)) return {found->first, other};
    }
  }
  return {};
}

}  // namespace hasten
