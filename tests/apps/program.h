// Runs the built longconv as a user's shell would, and the small world its tests share.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace longconv::test {

namespace fs = std::filesystem;

/// How one run ended. `code` is the exit code, or 128 + signal.
struct Ended {
  int code = -1;
  std::string out;               ///< stdout
  std::string err;               ///< stderr
  std::uint64_t peak_bytes = 0;  ///< largest resident set
  double cpu_s = 0.0;            ///< user and system
};

struct Setting {
  fs::path folder;                                 ///< working folder; empty = the tests' own
  std::string input;                               ///< stdin
  std::map<std::string, std::string> environment;  ///< added; an empty value removes
  std::uint64_t file_limit = 0;                    ///< bytes a file may have (ulimit -f); 0 = any
  bool obeys_permissions = false;                  ///< also when root runs the tests
  fs::path out;                                    ///< stdout goes to this file instead
};

/// A running longconv; killed by the destructor if it still runs.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, const Setting& setting = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] bool running();
  void send(int signal) const;
  Ended wait();

 private:
  fs::path output_;
  fs::path errors_;
  pid_t pid_ = -1;
  int status_ = 0;
  std::uint64_t peak_bytes_ = 0;
  double cpu_s_ = 0.0;
  bool done_ = false;
  bool own_output_ = true;
};

Ended run(const std::vector<std::string>& arguments, const Setting& setting = {});

/// The same for many, a few at a time; the answers in the order of the questions.
std::vector<Ended> run_all(const std::vector<std::vector<std::string>>& commands);

/// What longconv writes to a terminal as stderr, its colours included.
std::string run_on_terminal(const std::vector<std::string>& arguments,
                            const std::map<std::string, std::string>& environment);

/// Made once, removed at the end: a text, its byte corpus and its SentencePiece corpus, and a
/// finished run of configs/smoke/tiny.toml on the first.
class World {
 public:
  static const World& get();
  [[nodiscard]] const fs::path& folder() const { return folder_; }
  [[nodiscard]] fs::path text() const { return folder_ / "text.txt"; }
  [[nodiscard]] fs::path bytes() const { return folder_ / "bytes"; }
  [[nodiscard]] fs::path pieces() const { return folder_ / "pieces"; }
  [[nodiscard]] fs::path run() const { return folder_ / "run"; }
  [[nodiscard]] const Ended& trained() const { return trained_; }  ///< how `train` ended
  [[nodiscard]] const Ended& prepared() const { return prepared_; }
  [[nodiscard]] const Ended& pieces_prepared() const { return pieces_prepared_; }
  /// The newest step's checkpoint folder of run().
  [[nodiscard]] fs::path checkpoint() const;

 private:
  World();
  ~World();
  fs::path folder_;
  Ended prepared_;
  Ended pieces_prepared_;
  Ended trained_;
};

fs::path source_folder();
fs::path tiny_config();
std::string read(const fs::path& path);
void write(const fs::path& path, const std::string& text);

/// Arguments of a training of tiny.toml on `corpus` into `run`, plus `more`.
std::vector<std::string> train_tiny(const fs::path& corpus, const fs::path& run,
                                    const std::vector<std::string>& more = {});

}  // namespace longconv::test
