#include "verbs.hpp"

#include "output.hpp"

namespace hasten::cli {

std::span<const Verb> verbs() {
  static const Verb kVerbs[] = {
      {"ingest",
       "bring the knowledge base up to date with files and folders",
       "Reads files that are new or changed, notices those that moved or are gone, cuts their "
       "texts "
       "into nodes, indexes the words and embeds. What .gitignore names, hidden files and links "
       "out of "
       "the folder are left out. A file that fails costs only itself: the exit code is then 3.",
       {"hasten ingest docs", "hasten ingest docs notes.md --exclude '*.csv' --json",
        "hasten ingest docs --no-embed"},
       define_ingest},
      {"search",
       "find the passages that a question is about",
       "Finds passages by words (bm25), by meaning (vector) or by both (hybrid), best first. Further "
       "questions and retrievers are fused; then come, in this order, --cut-off, --target, --fold, "
       "--diversity, --top-k and --window.",
       {"hasten search \"how is the index kept?\"", "hasten search \"地铁\" --mode bm25 --top-k 3 --json",
        "hasten search \"how is tea brewed?\" --reranker late_interaction --explain",
        "hasten search \"stations\" --filter 'lang == \"en\"' --explain --trace",
        "hasten search \"stations\" --query \"subway lines\" --fold 0.5 --window 1",
        "hasten search \"地铁\" --retriever similarity=bm25,weight=2 --retriever similarity=cosine"},
       define_search},
      {"ask",
       "answer a question from the documents, with citations",
       "Finds passages, has a language model answer from them while you read along, and names the "
       "passages that support the answer; or says that the documents do not hold it.",
       {"hasten ask \"How many stations are there?\"",
        "hasten ask \"How many stations are there?\" --generator extractive --trace",
        "hasten ask \"How many stations are there?\" --query \"number of subway stations\" --window 1",
        "hasten ask \"and in Shanghai?\" --session planning"},
       define_ask},
      {"chat",
       "ask one question after the other, each with what was said before it",
       "Reads questions, a line each, and answers them as ask does. One that goes on from those before "
       "(\"and in "
       "Shanghai?\", \"when was it built?\") is understood together with them. What was said is kept in the "
       "cache: "
       "of this program, or of a server that [cache] names, where --session takes it up again for a day.",
       {"hasten chat", "hasten chat --session planning --generator http://127.0.0.1:8000",
        "printf 'How many stations are there?\\nand in Shanghai?\\n' | hasten chat --generator extractive "
        "--json"},
       define_chat},
      {"read",
       "print the text that is in a file",
       "Prints the text that a reader gets out of a file, and nothing else.",
       {"hasten read docs/guide.md", "hasten read docs/guide.md --json"},
       define_read},
      {"split",
       "show the nodes that a splitter makes of a file",
       "Cuts the text of a file, or of stdin, and prints each piece with its bytes.",
       {"hasten split docs/guide.md --chunk-size 128 --chunk-overlap 12",
        "echo \"One. Two. Three.\" | hasten split - --splitter character --chunk-size 8 "
        "--chunk-overlap 2"},
       define_split},
      {"embed",
       "turn texts into vectors",
       "Prints the vector of each text, of length 1.",
       {"hasten embed \"hello\" \"你好\" --json", "hasten embed \"what is it?\" --role query"},
       define_embed},
      {"status",
       "what is in the knowledge base",
       "Counts documents, nodes and vectors, bytes by kind, and the fingerprints of what made "
       "them.",
       {"hasten status", "hasten status --json"},
       define_status},
      {"remove",
       "forget documents",
       "Forgets the documents under these paths. The files themselves stay; while they do, the "
       "next "
       "ingest of their folder brings them back.",
       {"hasten remove docs/guide.md"},
       define_remove},
      {"verify",
       "check every checksum and cross-reference",
       "Reads everything and names what is damaged. The exit code is 1 when something is.",
       {"hasten verify", "hasten verify --repair"},
       define_verify},
      {"compact",
       "merge segments, and give back the space of what is deleted",
       "Merges the segments of each group, drops what was deleted and shortens the files.",
       {"hasten compact"},
       define_compact},
      {"backup",
       "write a consistent copy while it is in use",
       "Copies the newest commit into a folder, which is then a knowledge base of its own, while others "
       "search "
       "and ingest. All of it is read again before the folder gets its name; an interrupted backup leaves "
       "nothing there. An older backup of the same knowledge base is replaced when the new one is whole.",
       {"hasten backup saved", "hasten backup saved --json"},
       define_backup},
      {"restore",
       "make a knowledge base of a backup",
       "Makes the knowledge base that --kb names, which must be new or empty, of a backup. With --force the "
       "one that is there is replaced at once, when the new one is whole; nobody may be writing to it.",
       {"hasten restore saved --kb other.hasten", "hasten restore saved --force --json"},
       define_restore},
      {"migrate",
       "move a knowledge base to other stores, without embedding",
       "Copies documents, texts, nodes, fields and vectors of one commit, builds what is derived, and "
       "compares "
       "all content on both sides by counts and checksums. The source stays as it was. Run it again after an "
       "interruption: it goes on where it stopped. Where only the vector store changes, as in the second "
       "example, the vectors go there.",
       {"hasten migrate --from kb.hasten --to new.hasten",
        "hasten migrate --from kb.hasten --to '{\"vector_store\": \"memory\"}' --json"},
       define_migrate},
      {"eval",
       "retrieval quality on a test set",
       "Takes a folder in the BEIR layout, makes a knowledge base of its corpus once, asks its "
       "questions and compares with its judgements. Documents are ranked by their best node.",
       {"hasten eval dataset --mode all", "hasten eval dataset --mode bm25 --json"},
       define_eval},
      {"tune",
       "which index suits this corpus",
       "Builds each kind of index over the vectors of a group, asks questions at its settings, "
       "compares with an exact scan, and chooses the fastest that finds enough. The indexes are "
       "removed again; with --write the choice goes into the settings file. The exit code is 1 "
       "when nothing keeps to what was asked.",
       {"hasten tune", "hasten tune --recall 0.99 --kinds flat,graph --svg tune.svg",
        "hasten tune --memory-max 2G --write"},
       define_tune},
      {"model list",
       "models that Hasten knows",
       "Lists the models, their licences and sizes, and which are installed.",
       {"hasten model list"},
       define_model_list},
      {"model install",
       "fetch and import models",
       "Fetches models, checks their checksums and imports them; what is there already stays.",
       {"hasten model install", "hasten model install all-MiniLM-L6-v2"},
       define_model_install},
      {"model import",
       "turn a BERT's folder into a model file",
       "Takes a folder in Hugging Face's layout (config.json, model.safetensors, vocab.txt) and writes a "
       "GGUF file: a cross-encoder for --reranker where there is a classification head, else an embedder.",
       {"hasten model import folder --out reranker.gguf", "hasten model import folder --type f32 --json"},
       define_model_import},
  };
  return kVerbs;
}

void Context::notes(std::span<const std::string> messages) const {
  if (options.quiet) return;
  for (const std::string& message : messages) print_note(message);
}

}  // namespace hasten::cli
