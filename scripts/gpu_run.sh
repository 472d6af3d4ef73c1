#!/usr/bin/env bash
# Runs a pack of scripts/gpu_pack on a machine with a GPU and PyTorch 2.11 (CUDA 13) for Python 3.
#
#   run.sh tests              the GPU tests
#   run.sh train              quick start on the GPU, then 200 steps of the 153M model
#   run.sh conv               the long convolution beside its floor and the best of the others
#   run.sh conv_long          the same from 65,536 to 1,048,576 steps
#   run.sh bench              tokens/s, memory, share of time in the convolution; micro-benchmarks
#   run.sh sanitize           compute-sanitizer's four tools over the kernels' tests at small shapes
#   run.sh compare            200 steps of the 153M model, 2K and 32K, by our kernels and by LibTorch's FFT
#   run.sh all                all of these
#   run.sh exec PROGRAM ...   one program of bin/ with these arguments
#
# Results go to $RESULTS (default: results/ beside this script).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=${RESULTS:-$here/results}
mkdir -p "$results"
cd "$here"
chmod +x bin/* # a transfer may have dropped it

# Found without importing: that would take seconds and memory.
torch=$(python3 -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.dirname(s.origin) if s else "")')
[[ -n $torch ]] || { echo "run.sh: python3 has no torch; PyTorch 2.11 for CUDA 13 is needed" >&2; exit 8; }
version=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py")
[[ $version == 2.11.* ]] || { echo "run.sh: python3's torch is $version; this pack was built for 2.11" >&2; exit 8; }
path=$torch/lib
for folder in "$(dirname "$torch")"/nvidia/*/lib; do
  if [[ -d $folder ]]; then path=$path:$folder; fi
done
# Ours only where the system's C++ library is older than the compiler that built the pack.
system=$(ldconfig -p | sed -n 's/.*libstdc++\.so\.6 .*=> //p' | head -n 1)
if [[ -z $system ]] || ! grep -q GLIBCXX_3.4.30 "$system"; then path=$path:$here/fallback; fi
if [[ ! -e $torch/lib/libgomp.so.1 ]] && ! ldconfig -p | grep -q libgomp.so.1; then path=$path:$here/fallback; fi
path=$path:$here/lib

# For our programs alone: the system's own tools must not see these libraries.
ours() {
  local program=$1
  shift
  env LD_LIBRARY_PATH="$path" "$here/bin/$program" "$@"
}

run_tests() {
  local failed=0 test
  for test in "$here"/bin/test_*; do
    [[ -x $test ]] || continue
    echo "== $(basename "$test")"
    # The models' goldens alone: their other tests read the sources, which are not here. Their errors
    # go into the GPU's columns of the table that is to replace docs/fidelity.md.
    local only=()
    if [[ $(basename "$test") == test_models ]]; then
      only=(--gtest_filter='*Cuda*')
      cp "$here/fidelity.md" "$results/fidelity.md"
      export LONGCONV_WRITE_FIDELITY=$results/fidelity.md
    fi
    ours "$(basename "$test")" "${only[@]}" --gtest_brief=1 --gtest_output="json:$results/$(basename "$test").json" || failed=1
  done
  return $failed
}

run_training() {
  rm -rf runs/text_gpu runs/hyena_153m
  ours longconv train configs/quickstart/text_gpu.toml run.dir=runs/text_gpu
  ours longconv eval runs/text_gpu perplexity --overlap 512 --ngrams | tee "$results/text_gpu_eval.txt"
  ours longconv generate runs/text_gpu --prompt "And it came to pass" --tokens 400 --temperature 0.8 \
    --top-p 0.95 --seed 1 >"$results/text_gpu_sample.txt"
  # 32K tokens a step at 2K on the quick start's SentencePiece shards.
  ours longconv train configs/lm/hyena_153m.toml data.path=corpora/quickstart data.batch_size=16 \
    train.accumulate=1 schedule.max_steps=200 schedule.warmup_steps=20 train.log_every=1 \
    train.eval_every=100 train.eval_batches=8 train.checkpoint_every=0 run.dir=runs/hyena_153m
  local run
  for run in text_gpu hyena_153m; do
    cp "runs/$run/metrics.jsonl" "$results/$run.metrics.jsonl"
    cp "runs/$run/environment.json" "$results/$run.environment.json"
  done
}

run_conv() {
  ours longconv bench conv --preset paper --plot "$results/conv_paper.svg" --json | tee "$results/conv_paper.json"
  ours longconv bench conv --gated --lengths 256,512,1024,4096,16384 --json >"$results/conv_gated.json"
  local batch
  for batch in 1 4; do
    ours longconv bench conv --batch $batch --channels 64 --lengths 256,1024,4096,16384,32768 --json \
      >"$results/conv_b${batch}_h64.json"
  done
  ours longconv bench conv --lengths 250,1000,3000,12000,30001 --no-skip --json >"$results/conv_odd.json"
  ours longconv bench conv --lengths 1024,8192,32768 --dtype float32 --json >"$results/conv_float32.json"
  ours longconv bench conv --lengths 1024,8192 --filters 2 --json >"$results/conv_filters2.json"
  ours longconv bench conv --lengths 128,256,512,1024,8192 --mode bidirectional --no-skip --json >"$results/conv_bidirectional.json"
}

# Beyond 32,768 steps, at the batches the others were measured at.
run_conv_long() {
  ours longconv bench conv --lengths 65536,131072 --batch 16 --no-skip --json >"$results/conv_long_b16.json"
  ours longconv bench conv --lengths 262144,524288 --batch 4 --no-skip --json >"$results/conv_long_b4.json"
  ours longconv bench conv --lengths 1048576 --batch 2 --no-skip --json >"$results/conv_long_b2.json"
}

# Every kernel once or twice: small rows of each mode, and every number of rings.
run_sanitize() {
  local tool failed=0
  local regimes='EveryRegime/*bf16_L33_*:EveryRegime/*bf16_L384_*:EveryRegime/*bf16_L513_*:EveryRegime/*bf16_L1999_*:EveryRegime/*bf16_L5000_*:EveryRegime/*bf16_L8192_*:EveryRegime/*bf16_L20001_*:EveryRegime/*float32_L1999_*:EveryRegime/*float32_L20001_*'
  for tool in memcheck racecheck synccheck initcheck; do
    local cases="EveryRow/LongConv.*cuda_*B2*L129_*:EveryRow/LongConv.*cuda_ring*B2*L1000_*:$regimes"
    cases+=":EveryRow/ImplicitFilterRows.Are*cuda*L129:EveryRow/LayerNormRows.Are*cuda*R37_D260:EveryRow/TapRegulariserRows.Are*cuda*T1025_*"
    # It follows every allocation, which takes minutes with LibTorch's own kernels in between.
    if [[ $tool == initcheck ]]; then cases='EveryRow/LongConv.*cuda_*bf16*causal_B2*L129_*:EveryRegime/*bf16_L1999_causal:EveryRegime/*bf16_L8192_causal'; fi
    echo "== compute-sanitizer $tool"
    env LD_LIBRARY_PATH="$path" compute-sanitizer --tool $tool --error-exitcode 9 --kernel-name-exclude kns=at \
      "$here/bin/test_core_ops_gpu" --gtest_brief=1 --gtest_filter="$cases" 2>&1 |
      tail -n 4 | tee "$results/sanitize_$tool.txt" || failed=1
    grep -q 'ERROR SUMMARY: 0 errors\|RACECHECK SUMMARY: 0 hazards' "$results/sanitize_$tool.txt" || failed=1
  done
  return $failed
}

run_compare() {
  local kernels length batch
  for length in 2048 32768; do
    batch=$((32768 / length))
    for kernels in auto torch_fft; do
      local run=hyena_153m_${length}_$kernels
      rm -rf "runs/$run"
      ours longconv train configs/lm/hyena_153m.toml data.path=corpora/quickstart data.seq_len=$length model.l_max=$length \
        data.batch_size=$batch data.micro_batch=$batch schedule.max_steps=200 schedule.warmup_steps=20 train.log_every=1 \
        train.eval_every=0 train.checkpoint_every=0 train.long_conv=$kernels run.dir="runs/$run"
      cp "runs/$run/metrics.jsonl" "$results/$run.metrics.jsonl"
    done
  done
}

run_bench() {
  ours longconv bench model configs/lm/hyena_153m.toml data.batch_size=16 train.accumulate=1 --json \
    | tee "$results/bench_hyena_153m.json"
  ours longconv bench model configs/quickstart/text_gpu.toml model.vocab_size=257 --json \
    | tee "$results/bench_text_gpu.json"
  ours longconv bench conv --lengths 1024,2048,8192,32768,131072 --batch 8 --json | tee "$results/bench_conv.json"
  local bench
  for bench in "$here"/bin/bench_*; do
    [[ -x $bench ]] || continue
    ours "$(basename "$bench")" --benchmark_out="$results/$(basename "$bench").json" --benchmark_out_format=json
  done
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || true
echo "torch $version in $torch; pack of commit $(cat "$here/commit.txt")"
case ${1:-all} in
  tests) run_tests ;;
  train) run_training ;;
  bench) run_bench ;;
  conv) run_conv ;;
  conv_long) run_conv_long ;;
  sanitize) run_sanitize ;;
  compare) run_compare ;;
  all)
    status=0
    ours longconv doctor || status=$?
    # One process a part: it ends at its first failure, and the next part still runs.
    for part in tests train bench; do bash "$here/run.sh" $part || status=$?; done
    exit $status
    ;;
  exec)
    shift
    ours "$@"
    ;;
  *)
    sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
