# bash completion for longconv: subcommands, options, files, and the keys of a configuration.
# The lists below are checked against `longconv ... --help` by tests/apps.

_longconv_commands="train finetune eval generate predict import export data inspect doctor bench report"

# Subcommands of a command, or nothing.
_longconv_subcommands() {
  case "$1" in
    "") echo "$_longconv_commands" ;;
    data) echo "prepare tokenizer generate inspect convert bench" ;;
    bench) echo "conv short model" ;;
  esac
}

# Options of a command ("train", "data prepare", ...).
_longconv_options() {
  local common="--help --log-format"
  case "$1" in
    "") echo "--help --version --log-format" ;;
    train) echo "--print-config --dry-run $common" ;;
    finetune) echo "--submission --json $common" ;;
    eval) echo "--overlap --ngrams --logistic --submission --json $common" ;;
    generate) echo "--prompt --tokens --samples --temperature --top-k --top-p --seed --device --json $common" ;;
    predict) echo "--input --mask --output --what --dtype --device --json $common" ;;
    "data prepare")
      echo "--out --tokenizer --validation --holdout --validation-share --split-seed --lines --document-chars --document-tokens --plain-specials --no-eos --max-bad --part --threads --json $common"
      ;;
    "data tokenizer")
      echo "--tokenizer --model --vocab --min-count --out --jsonl --hex --plain-specials --keep-case --sample --seed $common"
      ;;
    "data generate") echo "--out --threads --print-config --json $common" ;;
    "data inspect") echo "--samples --png --verify --json $common" ;;
    "data bench") echo "--steps --step-ms --json $common" ;;
    "data convert") echo "--tokenizer --json $common" ;;
    import) echo "--out --allow --json $common" ;;
    export) echo "--format --out --json $common" ;;
    inspect | doctor) echo "--json $common" ;;
    "bench conv") echo "--lengths --batch --channels --dtype --gated --filters --mode --no-skip --plot --preset --device --repeats --json $common" ;;
    "bench short") echo "--lengths --batch --channels --taps --dtype --device --repeats --json $common" ;;
    "bench model") echo "--device --repeats --json $common" ;;
    report) echo "--out $common" ;;
    *) echo "$common" ;;
  esac
}

# Words an option takes, or nothing if it takes free text or a path.
_longconv_values() {
  case "$1" in
    --log-format) echo "text json" ;;
    --format) echo "safetensors hf" ;;
    --device) echo "auto cpu cuda" ;;
    --dtype) echo "float64 float32 bf16 fp16" ;;
    --mode) echo "causal bidirectional conjugate circular" ;;
    --what) echo "logits hidden embedding loss" ;;
    --model) echo "unigram bpe char characters" ;;
  esac
}

# key= for every key of a configuration, as `train CONFIG --print-config` shows them. It takes a
# second (LibTorch has to load), so the answer is kept for the next time.
declare -gA _longconv_key_cache 2>/dev/null
_longconv_keys() {
  local program="$1" config="$2"
  if [[ -z "${_longconv_key_cache[$config]-}" ]]; then
    _longconv_key_cache[$config]=$("$program" train "$config" --print-config 2>/dev/null | awk '
      /^\[\[/ { inside = 0; next }
      /^\[/ { section = substr($1, 2, index($1, "]") - 2) "."; inside = 1; next }
      /^[a-z_0-9]+ *=/ { if (inside || section == "") print section $1 "=" }')
  fi
  echo "${_longconv_key_cache[$config]}"
}

_longconv() {
  local cur prev words=() i command="" config="" values
  COMPREPLY=()
  # Words are glued back where readline cuts them at "=" and ":" (optim.lr=1e-3).
  _longconv_words
  cur="${words[-1]}"
  prev="${words[-2]-}"

  for ((i = 1; i < ${#words[@]} - 1; ++i)); do
    [[ "${words[i]}" == --log-format ]] && { ((++i)); continue; }
    [[ "${words[i]}" == -* ]] && continue
    if [[ " $(_longconv_subcommands "$command") " == *" ${words[i]} "* ]]; then
      command="${command:+$command }${words[i]}"
    elif [[ -z "$config" && "${words[i]}" == *.toml ]]; then
      config="${words[i]}"
    fi
  done

  if [[ "$prev" == -* && -n "${values:=$(_longconv_values "$prev")}" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
  elif [[ "$cur" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_longconv_options "$command")" -- "$cur")
  elif [[ -n "$(_longconv_subcommands "$command")" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_longconv_subcommands "$command")" -- "$cur")
  elif [[ "$command" == eval && "$cur" != */* && -n "$prev" && -d "$prev" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "perplexity accuracy" -- "$cur")
  elif [[ "$command" == "data tokenizer" && "$prev" == tokenizer ]]; then
    mapfile -t COMPREPLY < <(compgen -W "train encode decode check" -- "$cur")
  elif [[ ("$command" == train || "$command" == finetune || "$command" == "bench model" || "$command" == "data bench") && -n "$config" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_longconv_keys "${words[0]}" "$config")" -- "$cur")
    compopt -o nospace 2>/dev/null
  elif [[ "$command" == train || "$command" == finetune || "$command" == "bench model" || "$command" == "data bench" ]]; then
    mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$cur"; compgen -d -S / -- "$cur")
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == */ ]] && compopt -o nospace 2>/dev/null
  elif [[ "$command" == report ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    compopt -o filenames 2>/dev/null
  elif [[ "$command" != doctor && "$command" != "bench conv" && "$command" != "bench short" ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    compopt -o filenames 2>/dev/null
  fi
  _longconv_trim "$cur"
}

# Sets `words`: COMP_WORDS up to the cursor, with "a", "=", "b" joined to "a=b".
_longconv_words() {
  local i part joined=0
  words=()
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    part="${COMP_WORDS[i]}"
    if ((i > 0 && ${#words[@]} > 0)) && [[ $joined == 1 || "$part" == [=:]* ]]; then
      words[-1]+="$part"
      [[ "$part" == [=:] ]] && joined=1 || joined=0
    else
      words+=("$part")
    fi
  done
  # "a=" with the cursor right behind it: nothing more to complete but the word itself.
  ((${#words[@]} > 1)) || words+=("")
}

# readline replaces only what stands behind the last "=" of the word.
_longconv_trim() {
  [[ "$1" == *=* && "$COMP_WORDBREAKS" == *=* ]] || return 0
  local prefix="${1%=*}=" i
  for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]="${COMPREPLY[i]#"$prefix"}"; done
}

complete -F _longconv longconv
