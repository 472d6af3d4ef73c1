#include "tests/apps/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>

namespace longconv::test {
namespace {

std::string program() { return std::string(LONGCONV_BINARY_DIR) + "/bin/longconv"; }

fs::path make_folder() {
  std::string name = ::testing::TempDir() + "/longconv-apps-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + name);
  return fs::canonical(name);
}

void set_environment(const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) {
    value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  }
}

// Runs in the child; never returns.
[[noreturn]] void become_longconv(const std::vector<std::string>& arguments) {
  std::string name = program();
  std::vector<std::string> words(arguments);
  std::vector<char*> argv{name.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(name.c_str(), argv.data());
  ::_exit(126);
}

void redirect(const fs::path& path, int flags, int descriptor) {
  const int file = ::open(path.c_str(), flags, 0600);
  if (file < 0) ::_exit(125);
  ::dup2(file, descriptor);
  ::close(file);
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// Sentences with enough structure that a tiny model beats a unigram after 40 steps.
std::string make_text() {
  constexpr std::array<const char*, 8> kWho{"the king",  "a prophet", "the people",  "his son",
                                            "the woman", "an angel",  "the servant", "my brother"};
  constexpr std::array<const char*, 8> kDid{"went up to",    "spoke of", "came from",
                                            "looked upon",   "built",    "remembered",
                                            "departed from", "praised"};
  constexpr std::array<const char*, 8> kWhat{"the city",  "the mountain",          "the house",
                                             "the river", "a great field",         "the temple",
                                             "the sea",   "the well \u2014 \u00e9"};
  std::mt19937 random(1);
  std::string text;
  while (text.size() < 60000) {
    text += std::string("And ") + kWho[random() % 8] + ' ' + kDid[random() % 8] + ' ' +
            kWhat[random() % 8] + ".\n";
  }
  return text;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const Setting& setting) {
  static std::atomic<int> counter{0};
  const fs::path stem = fs::path(::testing::TempDir()) / ("longconv-" + std::to_string(::getpid()) +
                                                          "-" + std::to_string(++counter));
  output_ = setting.out.empty() ? fs::path(stem.string() + ".out") : setting.out;
  own_output_ = setting.out.empty();
  errors_ = stem.string() + ".err";
  const fs::path input = stem.string() + ".in";
  write(input, setting.input);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    redirect(input, O_RDONLY, STDIN_FILENO);
    redirect(output_, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect(errors_, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    if (!setting.folder.empty() && ::chdir(setting.folder.c_str()) != 0) ::_exit(124);
    // Saves the program from starting itself again; an empty value in `setting` undoes it.
    ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
    set_environment(setting.environment);
    if (setting.file_limit > 0) {
      const rlimit limit{setting.file_limit, setting.file_limit};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(123);
    }
    // Root without this capability is bound by permissions; who is not root is so anyway.
    if (setting.obeys_permissions) ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
    become_longconv(arguments);
  }
}

Program::~Program() {
  if (running()) {
    send(SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
  std::error_code ignored;
  if (own_output_) fs::remove(output_, ignored);
  fs::remove(errors_, ignored);
  fs::path input = errors_;
  fs::remove(input.replace_extension(".in"), ignored);
}

bool Program::running() {
  if (!done_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) done_ = true;
  return !done_;
}

void Program::send(int signal) const { ::kill(pid_, signal); }

Ended Program::wait() {
  if (!done_) {
    rusage used{};
    ::wait4(pid_, &status_, 0, &used);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    peak_bytes_ = static_cast<std::uint64_t>(used.ru_maxrss) << 10;
    cpu_s_ = seconds(used.ru_utime) + seconds(used.ru_stime);
  }
  done_ = true;
  return {code_of(status_), own_output_ ? read(output_) : "", read(errors_), peak_bytes_, cpu_s_};
}

Ended run(const std::vector<std::string>& arguments, const Setting& setting) {
  return Program(arguments, setting).wait();
}

std::vector<Ended> run_all(const std::vector<std::vector<std::string>>& commands) {
  constexpr std::size_t kAtOnce = 4;
  std::vector<Ended> ended;
  for (std::size_t first = 0; first < commands.size(); first += kAtOnce) {
    std::vector<std::unique_ptr<Program>> batch;
    for (std::size_t i = first; i < std::min(first + kAtOnce, commands.size()); ++i) {
      batch.push_back(std::make_unique<Program>(commands[i]));
    }
    for (const auto& program : batch) ended.push_back(program->wait());
  }
  return ended;
}

std::string run_on_terminal(const std::vector<std::string>& arguments,
                            const std::map<std::string, std::string>& environment) {
  int master = -1;
  const pid_t pid = ::forkpty(&master, nullptr, nullptr, nullptr);
  if (pid < 0) throw std::runtime_error("forkpty failed");
  if (pid == 0) {
    set_environment(environment);
    become_longconv(arguments);
  }
  std::string text;
  std::array<char, 4096> buffer{};
  // Linux reports the end of a pseudo-terminal as an error.
  for (ssize_t n = 0; (n = ::read(master, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(master);
  ::waitpid(pid, nullptr, 0);
  return text;
}

const World& World::get() {
  static const World world;
  return world;
}

World::World() : folder_(make_folder()) {
  write(text(), make_text());
  prepared_ = test::run({"data", "prepare", text().string(), "--out", bytes().string(), "--holdout",
                         "text.txt=0.1", "--json"});
  pieces_prepared_ = test::run({"data", "prepare", text().string(), "--out", pieces().string(),
                                "--holdout", "text.txt=0.1", "--tokenizer", "unigram:300"});
  Setting plain;  // as a user's shell has it
  plain.environment["OMP_WAIT_POLICY"] = "";
  trained_ = test::run(train_tiny(bytes(), run()), plain);
}

World::~World() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path World::checkpoint() const { return fs::canonical(run() / "checkpoints" / "latest"); }

fs::path source_folder() { return LONGCONV_SOURCE_DIR; }
fs::path tiny_config() { return source_folder() / "configs/smoke/tiny.toml"; }

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::vector<std::string> train_tiny(const fs::path& corpus, const fs::path& run,
                                    const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"train", tiny_config().string(),
                                     "data.path=" + corpus.string(), "run.dir=" + run.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace longconv::test
