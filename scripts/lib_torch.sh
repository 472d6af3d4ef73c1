# Which CUDA there is, and LibTorch 2.11.0 from its PyPI wheel to go with it. Sourced after lib.sh.
#
# plan_cuda settles on one of three (LONGCONV_CUDA=off|toolkit|wheels overrides):
#   toolkit  a CUDA 13 toolkit: its libraries are used, each one it lacks comes from its wheel
#   wheels   a driver for CUDA 13 but no toolkit: everything comes from wheels, nvcc too
#   off      neither: the CPU half of LibTorch only
# What is unpacked looks like a site-packages folder (torch/ beside nvidia/): LibTorch's own RPATH
# then finds its neighbours. The toolkit's libraries are linked into nvidia/cu13/lib, so that no
# LD_LIBRARY_PATH and no ldconfig is needed wherever the toolkit lies.

TORCH_VERSION=2.11.0
WHEELS=$CACHE/wheels
PINS=$REPO/scripts/wheels
OLDEST_DRIVER=580 # the first that runs CUDA 13
LAYOUT=1          # raise it when unpack() changes what it leaves

plan_cuda() {
  local wish=${LONGCONV_CUDA:-auto}
  CUDA_NVCC='' CUDA_TOOLKIT='' CUDA_REASON=''
  find_toolkit
  case $wish in
    auto)
      if [[ -n $CUDA_NVCC ]]; then
        CUDA_PLAN=toolkit
      elif driver_is_new_enough; then
        CUDA_PLAN=wheels
      else
        CUDA_PLAN=off
      fi
      ;;
    off | wheels) CUDA_PLAN=$wish ;;
    toolkit)
      CUDA_PLAN=toolkit
      [[ -n $CUDA_NVCC ]] || die "LONGCONV_CUDA=toolkit, but no CUDA 13 toolkit was found ${CUDA_REASON}" \
        "Set CUDACXX to its nvcc, or LONGCONV_CUDA=wheels to take nvcc from wheels."
      ;;
    *) die "LONGCONV_CUDA=$wish is not one of auto, off, toolkit, wheels" ;;
  esac
  if [[ $CUDA_PLAN == off ]]; then
    LIBTORCH=$CACHE/libtorch-$TORCH_VERSION-cpu
  else
    LIBTORCH=$CACHE/libtorch-$TORCH_VERSION-cuda
  fi
  if [[ $CUDA_PLAN == wheels ]]; then CUDA_NVCC=$LIBTORCH/nvidia/cu13/bin/nvcc; fi
}

# Sets CUDA_NVCC and CUDA_TOOLKIT if some nvcc is of CUDA 13; else CUDA_REASON may say what came.
find_toolkit() {
  local nvcc release
  for nvcc in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:-/nonexistent}/bin/nvcc" /usr/local/cuda/bin/nvcc /usr/local/cuda-13*/bin/nvcc; do
    [[ -n $nvcc && -x $nvcc ]] || continue
    [[ $(readlink -f "$nvcc") == "$CACHE"/* ]] && continue
    release=$("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9]*\)\..*/\1/p') || true
    if [[ $release == 13 ]]; then
      CUDA_NVCC=$nvcc
      CUDA_TOOLKIT=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
      return
    fi
    CUDA_REASON="($nvcc is of CUDA ${release:-?}; LibTorch $TORCH_VERSION wants 13)"
  done
}

driver_is_new_enough() {
  local version=''
  if [[ -r /proc/driver/nvidia/version ]]; then
    version=$(sed -n 's/^NVRM.*  \([0-9][0-9]*\)\.[0-9.]*  .*/\1/p' /proc/driver/nvidia/version)
  elif have nvidia-smi; then
    version=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | sed -n '1s/\..*//p') || true
  fi
  [[ $version =~ ^[0-9]+$ ]] || return 1
  if ((version < OLDEST_DRIVER)); then
    CUDA_REASON="(the GPU driver is $version; CUDA 13 wants $OLDEST_DRIVER or later)"
    return 1
  fi
}

# toolkit_folder FILE: the folder of the toolkit or the system that holds a fitting FILE.
toolkit_folder() {
  local folder
  for folder in "$CUDA_TOOLKIT"/lib64 "$CUDA_TOOLKIT"/targets/x86_64-linux/lib \
    "$CUDA_TOOLKIT"/extras/CUPTI/lib64 /usr/lib/x86_64-linux-gnu /usr/local/lib; do
    if [[ -e $folder/$1 ]] && library_fits "$folder/$1"; then
      echo "$folder"
      return
    fi
  done
  return 1
}

# cuDNN and NCCL keep their file names over many releases: ask them. The rest has the version of its
# interface in the name.
library_fits() {
  case $1 in
    *libcudnn.so.9) python3 -c 'import ctypes, sys
f = ctypes.CDLL(sys.argv[1]).cudnnGetVersion
f.restype = ctypes.c_size_t
sys.exit(not 91900 <= f() < 100000)' "$1" 2>/dev/null ;;
    *libnccl.so.2) python3 -c 'import ctypes, sys
v = ctypes.c_int()
ctypes.CDLL(sys.argv[1]).ncclGetVersion(ctypes.byref(v))
sys.exit(not 22809 <= v.value < 30000)' "$1" 2>/dev/null ;;
  esac
}

# pins FILE...: the requirement lines of these lists, without comments.
pins() { (cd "$PINS" && sed 's/ *#.*//' "$@") | sed '/^$/d'; }

# Sets WANTED (requirement lines) and LINKS (folder:pattern of the toolkit's own libraries).
choose_wheels() {
  WANTED=() LINKS=()
  mapfile -t WANTED < <(pins torch.txt)
  if [[ $CUDA_PLAN == off ]]; then
    mapfile -t -O 1 WANTED < <(pins cpu.txt)
    return
  fi
  mapfile -t -O 1 WANTED < <(pins cuda.txt)
  if [[ $CUDA_PLAN == wheels ]]; then
    mapfile -t -O ${#WANTED[@]} WANTED < <(pins toolkit.txt nvcc.txt)
    return
  fi
  local line file family pattern folder lacking=()
  while IFS= read -r line; do
    read -r file family <<<"${line#*# provides }"
    if [[ $1 == trust_toolkit || $file == libcudart.so.13 ]] && folder=$(toolkit_folder "$file"); then
      for pattern in $family; do LINKS+=("$folder:$pattern"); done
    else
      lacking+=("$file")
      WANTED+=("${line%%  #*}")
    fi
  done < <(grep '^nvidia.*# provides' "$PINS/toolkit.txt")
  if ((${#lacking[@]})); then say "from wheels, because $CUDA_TOOLKIT has none that fits: ${lacking[*]}"; fi
}

# wheel_file REQUIREMENT: where its wheel lies in the cache, or nothing.
wheel_file() {
  local spec=${1%% *} name
  name=${spec%%==*}
  name=${name//-/_}
  compgen -G "$WHEELS/$name-${spec##*==}-*.whl" | head -n 1 || true
}

wheel_is_whole() {
  local file
  file=$(wheel_file "$1")
  [[ -n $file ]] && [[ $(sha256sum <"$file") == "${1##*sha256:}  -" ]]
}

# Downloads what the cache lacks; pip checks every hash before a file gets its name.
fetch_wheels() {
  local line platform lacking=() platforms=()
  for line in "${WANTED[@]}"; do
    wheel_is_whole "$line" || lacking+=("$line")
  done
  ((${#lacking[@]} == 0)) && return
  say "downloading into $WHEELS: ${lacking[*]%% *}"
  mkdir -p "$WHEELS"
  local list
  list=$(mktemp)
  printf '%s\n' "${lacking[@]}" >"$list"
  for platform in 2_28 2_27 2_25 2_18 2_17 2_12 2_5; do platforms+=(--platform "manylinux_${platform}_x86_64"); done
  platforms+=(--platform manylinux2014_x86_64 --platform manylinux2010_x86_64)
  # Debian's own Python: a newer one in PATH may lack pip, and its version does not matter here.
  local python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  "$python" -m pip --version >/dev/null 2>&1 || die "$python has no pip" "apt-get install python3-pip"
  if ! "$python" -m pip download -q --disable-pip-version-check --no-cache-dir --retries 3 --no-deps \
    --require-hashes --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --abi none \
    "${platforms[@]}" -d "$WHEELS" -r "$list" >&2; then
    rm -f "$list"
    die "the wheels could not be downloaded (pip's words are above)" \
      "Is there a network? Behind a proxy or mirror: PIP_INDEX_URL and https_proxy are honoured." \
      "Or copy the wheels into $WHEELS: scripts/wheels/*.txt names them with their sha256."
  fi
  rm -f "$list"
  for line in "${lacking[@]}"; do
    wheel_is_whole "$line" || die "$(wheel_file "$line") is not what scripts/wheels/ asks for: ${line%% *}"
  done
}

# unpack FOLDER: what is needed of WANTED, then links to the toolkit's libraries.
unpack() {
  local to=$1 line file exclude=(torch/lib/libtorch.so torch/lib/libtorch_python.so 'torch/lib/libshm*' torch/lib/libtorch_global_deps.so)
  if [[ $CUDA_PLAN == off ]]; then
    exclude+=('torch/lib/libtorch_cuda*' 'torch/lib/libc10_cuda*' 'torch/lib/libtorch_nvshmem*' 'torch/lib/libcaffe2_nvrtc*')
  fi
  for line in "${WANTED[@]}"; do
    file=$(wheel_file "$line")
    if [[ $line == torch==* ]]; then
      # Only these four include folders: the wheel's fmt and protobuf would shadow Debian's.
      unzip -qo "$file" 'torch/lib/lib*' 'torch/include/ATen/*' 'torch/include/c10/*' \
        'torch/include/caffe2/*' 'torch/include/torch/*' -x "${exclude[@]}" -d "$to"
    elif [[ $CUDA_PLAN == wheels ]]; then
      unzip -qo "$file" 'nvidia/*' -d "$to"
    else
      unzip -qo "$file" 'nvidia/*/lib/lib*.so*' -d "$to"
    fi
  done
  local lib=$to/nvidia/cu13/lib link
  mkdir -p "$lib"
  for link in "${LINKS[@]}"; do
    for file in "${link%%:*}"/${link#*:}; do
      if [[ -e $file ]]; then ln -sf "$file" "$lib/"; fi
    done
  done
  if [[ $CUDA_PLAN == wheels ]]; then
    ln -s lib "$to/nvidia/cu13/lib64"
    ln -s libcudart.so.13 "$lib/libcudart.so"
    chmod -R u+x "$to/nvidia/cu13/bin" "$to/nvidia/cu13/nvvm/bin"
  fi
}

# loads FOLDER: do all libraries of LibTorch find theirs, down to the last symbol?
loads() {
  local library problems
  # Those a program links to or that are opened by name; the others come with them. Not
  # libcaffe2_nvrtc: it wants the driver's libcuda.so.1, which need not be there where we build.
  for library in libtorch_cpu.so libtorch_cuda.so libtorch_cuda_linalg.so; do
    [[ -e $1/torch/lib/$library || $library == libtorch_cpu.so ]] || continue
    problems=$(env -u LD_LIBRARY_PATH ldd -r "$1/torch/lib/$library" 2>&1 |
      grep -E 'not found|undefined symbol|No such file' || true)
    if [[ -n $problems ]]; then
      printf '%s\n' "$problems" | head -n 5 >&2
      return 1
    fi
  done
}

# ready_libtorch: LIBTORCH holds what CUDA_PLAN asks for; quick when it does already.
ready_libtorch() {
  local stamp want
  stamp=$LIBTORCH/longconv-setup.txt
  want="plan $CUDA_PLAN; toolkit ${CUDA_TOOLKIT:-none}; layout $LAYOUT; pins $(cat "$PINS"/*.txt | sha256sum | cut -c1-16)"
  if [[ $CUDA_PLAN != toolkit ]]; then want=${want/toolkit ${CUDA_TOOLKIT:-none}; /}; fi
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return; fi
  case $CUDA_PLAN in
    off) need_disk "$CACHE" 1200 "LibTorch $TORCH_VERSION (CPU)" ;;
    toolkit) need_disk "$CACHE" 2200 "LibTorch $TORCH_VERSION (CUDA)" ;;
    wheels) need_disk "$CACHE" 7000 "LibTorch $TORCH_VERSION with all CUDA libraries" ;;
  esac
  local fresh
  fresh=$(mktemp -d "$CACHE/.unpack.XXXXXX")
  chmod 755 "$fresh"
  trap 'rm -rf "$CACHE"/.unpack.'"${fresh##*.unpack.}" EXIT
  choose_wheels trust_toolkit
  fetch_wheels
  say "unpacking LibTorch $TORCH_VERSION into $LIBTORCH"
  unpack "$fresh"
  if ! loads "$fresh" && [[ $CUDA_PLAN == toolkit ]]; then
    warn "the toolkit's libraries do not fit LibTorch $TORCH_VERSION; taking the wheels' instead"
    choose_wheels trust_nothing
    fetch_wheels
    rm -rf "${fresh:?}"/*
    unpack "$fresh"
  fi
  loads "$fresh" || die "LibTorch's libraries do not load (above: what is missing)"
  printf '%s\n' "$want" >"$fresh/longconv-setup.txt"
  if [[ -e $LIBTORCH ]]; then mv "$LIBTORCH" "$fresh.old"; fi
  mv "$fresh" "$LIBTORCH"
  rm -rf "$fresh.old"
  trap - EXIT
}
