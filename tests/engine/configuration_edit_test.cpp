#include "engine/settings/configuration_edit.hpp"

#include <gtest/gtest.h>

#include "hasten/error.hpp"

namespace hasten {
namespace {

struct EditCase {
  const char* name;
  std::string before, after;
};

TEST(ConfigurationEdit, SetsTheKeysAndLeavesTheRest) {
  const TomlChange changes[] = {
      {"", "recall", "0.9"}, {"index", "codes", "\"f32\""}, {"index", "kind", "\"graph\""}};
  const EditCase cases[] = {
      {"no file", "", "recall = 0.9\n\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"a comment at the top", "# mine\n\n[bm25]\nk1 = 2\n",
       "# mine\nrecall = 0.9\n\n[bm25]\nk1 = 2\n\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"a comment of the table", "# words\n[bm25]\nk1 = 2\n",
       "recall = 0.9\n# words\n[bm25]\nk1 = 2\n\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"all there", "recall = 0.5   # low\n[index]\nkind  = 'flat'  # slow\ncodes = \"int8\"\n",
       "recall = 0.9   # low\n[index]\nkind  = \"graph\"  # slow\ncodes = \"f32\"\n"},
      {"keys after a table", "group = \"root\"\n[index] # here\nkind = \"pq\"\n\n[bm25]\nb = 0.5\n",
       "group = \"root\"\nrecall = 0.9\n[index] # here\ncodes = \"f32\"\nkind = \"graph\"\n\n[bm25]\nb = "
       "0.5\n"},
      {"lines that look like tables",
       "note = '''\n[index]\nkind = 1\n'''\ngroups = [\n  {name = \"[a]\"},\n]\n\n[bm25]\nb = 1\n",
       "note = '''\n[index]\nkind = 1\n'''\ngroups = [\n  {name = \"[a]\"},\n]\nrecall = 0.9\n\n[bm25]\nb = "
       "1\n\n"
       "[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"an inline table", "index = {kind = \"pq\"} # x\n",
       "index = { codes = \"f32\",kind = \"graph\"} # x\nrecall = 0.9\n"},
      {"an empty inline table", "index = {}\n",
       "index = { kind = \"graph\", codes = \"f32\" }\nrecall = 0.9\n"},
      {"dotted keys", "index.kind = \"pq\"\n",
       "recall = 0.9\nindex.codes = \"f32\"\nindex.kind = \"graph\"\n"},
      {"Windows' line ends", "recall = 1\r\n[index]\r\nkind = \"pq\"\r\n",
       "recall = 0.9\r\n[index]\r\ncodes = \"f32\"\r\nkind = \"graph\"\r\n"},
      {"a byte order mark", "\xEF\xBB\xBFrecall = 0.5\n[index]\nkind = \"pq\"\ncodes = \"f32\"\n",
       "\xEF\xBB\xBFrecall = 0.9\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"a byte order mark and no key", "\xEF\xBB\xBF[index]\n",
       "\xEF\xBB\xBFrecall = 0.9\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"no line end at the end", "recall = 1",
       "recall = 0.9\n\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
      {"letters of several bytes",
       "\"键\" = {\"名\" = \"值\"}\nindex = {\"名\" = \"值\", kind = \"pq\", codes = \"é\"}\nrecall = 1\n",
       "\"键\" = {\"名\" = \"值\"}\nindex = {\"名\" = \"值\", kind = \"graph\", codes = \"f32\"}\n"
       "recall = 0.9\n"},
      {"tables of an array", "[[groups]]\nname = \"a\"\n",
       "recall = 0.9\n[[groups]]\nname = \"a\"\n\n[index]\nkind = \"graph\"\ncodes = \"f32\"\n"},
  };
  for (const EditCase& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(edit_toml(c.before, changes), c.after);
    EXPECT_EQ(edit_toml(c.after, changes), c.after);
  }
}

TEST(ConfigurationEdit, SaysWhatIsWrong) {
  const TomlChange changes[] = {{"index", "kind", "\"graph\""}};
  for (const char* text : {"kind = \n", "index = 3\n"}) {
    EXPECT_THROW(edit_toml(text, changes), Error) << text;
  }
}

}  // namespace
}  // namespace hasten
