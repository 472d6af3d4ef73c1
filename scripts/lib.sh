# Shared by the scripts: messages, the cache, disk, cores, Debian packages. Sourced, never run.
#
# Environment (all optional):
#   LONGCONV_CACHE          where wheels, LibTorch and texts are kept (default ~/.cache/longconv)
#   LONGCONV_CUDA           auto (default), off, toolkit, wheels: see scripts/lib_torch.sh
#   LONGCONV_CUDA_ARCHS     CMake's CUDA architectures (default 90a-real)
#   LONGCONV_JOBS           compilers at once (default: by cores and memory)
#   LONGCONV_SKIP_PACKAGES  1 = never call apt-get; for systems other than Debian 12
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${LONGCONV_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/longconv}
[[ $CACHE == /* ]] || CACHE=$PWD/$CACHE

# What each task needs from Debian 12. hdf5 stays in the same apt-get command as everything else:
# it and htslib want different libcurl packages, and apt settles that only in one go.
BUILD_PACKAGES=(g++ cmake ninja-build pkg-config ccache ca-certificates python3 python3-pip unzip
  libfmt-dev libspdlog-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libsimdjson-dev
  libzstd-dev zlib1g-dev libpng-dev libhdf5-dev libsentencepiece-dev libutf8proc-dev
  libisal-dev libgtest-dev libgmock-dev libbenchmark-dev)
TEXT_PACKAGES=(bible-kjv bible-kjv-text jargon-text)
# Data that tests read where they are installed, and skip where not.
DATA_PACKAGES=(dataset-fashion-mnist bowtie2-examples ragout-examples python-biopython-doc
  lastz-examples artfastqgenerator-examples samtools tabix)
FUZZ_PACKAGES=(clang-14 libclang-rt-14-dev)
CHECK_PACKAGES=(clang-format-14 clang-tidy-14)

say() { printf '==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
# die WHAT [NEXT...]: what went wrong, then what to do about it, a line each.
die() {
  printf '\n%s: failed: %s\n' "$(basename "$0")" "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}
# A command that fails without a message of ours must not look like success or like nothing at all.
trap 'status=$?; printf "\n%s: stopped: line %s: %s (status %s)\n" "$(basename "$0")" "$LINENO" "$BASH_COMMAND" "$status" >&2; exit $status' ERR
set -E

have() { command -v "$1" >/dev/null 2>&1; }

# need_disk FOLDER MEGABYTES WHAT
need_disk() {
  mkdir -p "$1" 2>/dev/null || die "cannot write $1" "Choose another folder: LONGCONV_CACHE=/path $0"
  [[ -w $1 ]] || die "$1 is not writable" "Choose another folder: LONGCONV_CACHE=/path $0"
  local free
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  if ((free < $2)); then
    die "no disk space: $3 needs $2 MB in $1, and $free MB are free" \
      "Free some space, or keep the cache elsewhere: LONGCONV_CACHE=/path $0"
  fi
}

# Compilers at once: a LibTorch unit takes up to 2 GB.
jobs_by_memory() {
  local cores memory limit
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
  if [[ -r /sys/fs/cgroup/memory.max ]] && limit=$(</sys/fs/cgroup/memory.max) && [[ $limit != max ]]; then
    limit=$((limit / 1048576))
    if ((limit < memory)); then memory=$limit; fi
  fi
  local jobs=$((memory / 2000))
  if ((jobs > cores)); then jobs=$cores; fi
  if ((jobs < 1)); then jobs=1; fi
  echo "${LONGCONV_JOBS:-$jobs}"
}

# missing_packages NAME...: those not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
    awk '$1 == "ii" { print $2 }') || true
  local name
  for name in "$@"; do
    grep -qxF -- "$name" <<<"$installed" || echo "$name"
  done
}

# require_packages NAME...: installs what is missing, in one command.
require_packages() {
  [[ ${LONGCONV_SKIP_PACKAGES:-0} == 1 ]] && return
  check_debian
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return
  say "installing Debian packages: ${missing[*]}"
  local as_root=()
  if [[ $(id -u) != 0 ]]; then
    if ! have sudo || ! sudo -n true 2>/dev/null; then
      die "not root, and sudo is not there or would ask for a password" \
        "Run this once, then call $(basename "$0") again:" \
        "sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
    as_root=(sudo -n)
  fi
  need_disk "$CACHE" 100 "the set-up"
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q
    --no-install-recommends -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 "${missing[@]}")
  local log
  log=$(mktemp)
  if ! "${install[@]}" >"$log" 2>&1; then
    say "apt-get's package lists are missing or old: apt-get update"
    "${as_root[@]}" apt-get update -q >>"$log" 2>&1 || true
    if ! "${install[@]}" >>"$log" 2>&1; then
      tail -n 15 "$log" >&2
      rm -f "$log"
      die "apt-get could not install: ${missing[*]}" \
        "Its last words are above. Usual reasons: no network, no disk space, another apt at work."
    fi
  fi
  rm -f "$log"
}

check_debian() {
  local id='' version='' name=''
  if [[ -r /etc/os-release ]]; then
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
    name=$(. /etc/os-release && echo "${PRETTY_NAME:-}")
  fi
  [[ $id == debian && $version == 12 ]] && return
  die "this set-up knows Debian 12, and this is ${name:-something else}" \
    "Install the counterparts of these packages yourself, then set LONGCONV_SKIP_PACKAGES=1:" \
    "${BUILD_PACKAGES[*]}"
}

# fetch_debian_file PACKAGE PATH TARGET: a file of an installed package, or, where dpkg was told to
# leave documentation out (slim containers), of the package itself.
fetch_debian_file() {
  local package=$1 path=$2 target=$3 folder
  if [[ -r $path ]]; then
    cp "$path" "$target"
    return
  fi
  folder=$(mktemp -d)
  if ! (cd "$folder" && apt-get download -q "$package" >/dev/null 2>&1); then
    rm -rf "$folder"
    die "$path is missing, and the package $package could not be downloaded" "Is there a network?"
  fi
  dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -xO ".$path" >"$target"
  rm -rf "$folder"
}

# texts FOLDER: kjv.txt and jargon.txt, byte for byte the known ones.
KJV_SHA256=82fa5f3788c6a9a010fb128a0f0bf588984b5888a82058520620eded59b033ea
JARGON_SHA256=40dfb4b98191a670a09a183d5798d50f243d23fdbd1495dcc0aca2ce5895ba97
texts() {
  local cached=$CACHE/texts out=$1
  mkdir -p "$cached" "$out"
  if ! text_is_whole "$cached/kjv.txt" $KJV_SHA256 || ! text_is_whole "$cached/jargon.txt" $JARGON_SHA256; then
    require_packages "${TEXT_PACKAGES[@]}"
    have bible || die "the program 'bible' is missing" "apt-get install bible-kjv bible-kjv-text"
    say "extracting the texts into $cached"
    bible gen1:1-rev22:21 </dev/null >"$cached/kjv.txt.tmp"
    fetch_debian_file jargon-text /usr/share/doc/jargon-text/jargon.txt.gz "$cached/jargon.gz.tmp"
    gzip -dc "$cached/jargon.gz.tmp" >"$cached/jargon.txt.tmp"
    rm -f "$cached/jargon.gz.tmp"
    local name sum
    for name in kjv:$KJV_SHA256 jargon:$JARGON_SHA256; do
      sum=${name#*:} name=${name%%:*}
      text_is_whole "$cached/$name.txt.tmp" "$sum" ||
        die "$cached/$name.txt.tmp is not the text this project knows (sha256 $sum)" \
          "Another version of the package? Wanted: bible-kjv-text 4.38, jargon-text 4.4.7-4.1."
      mv "$cached/$name.txt.tmp" "$cached/$name.txt"
    done
  fi
  local file
  for file in kjv.txt jargon.txt; do
    [[ -f $out/$file ]] && cmp -s "$cached/$file" "$out/$file" && continue
    cp "$cached/$file" "$out/$file.tmp"
    mv "$out/$file.tmp" "$out/$file"
  done
}
text_is_whole() { [[ -f $1 ]] && [[ $(sha256sum <"$1") == "$2  -" ]]; }

# Our C++ and CUDA files, tracked or new, separated by NUL.
source_files() {
  git -C "$REPO" ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp' '*.cu' '*.cuh' |
    while IFS= read -r -d '' file; do
      if [[ -f $REPO/$file ]]; then printf '%s\0' "$file"; fi
    done
}
