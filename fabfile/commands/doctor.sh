# What only the doctor asks, as a second JSON document after the facts.
# Needs: root, probe (a Python program), indexes (bash that finds the package index).

# Who uses the GPUs: lines of nvidia-smi, each with `ours` or `other` in front.
gpu_processes() {
  command -v nvidia-smi >/dev/null || return
  timeout 30 nvidia-smi --format=csv,noheader \
    --query-compute-apps=pid,gpu_uuid,used_memory,process_name 2>/dev/null |
    while IFS=, read -r pid rest; do
      if grep -qazF "PODFAB_RUN=$root/jobs/" "/proc/$pid/environ" 2>/dev/null; then whose=ours
      else whose=other; fi
      printf '%s,%s,%s\n' "$whose" "$pid" "$rest"
    done
}

keys_json() { # digests only
  separator=
  for run in "$root"/jobs/[!_]*/current; do
    { [ -f "$run/env" ] && alive "$run"; } || continue
    job=${run%/current}
    digest=$(VLLM_API_KEY=; . "$run/env"; printf '%s' "$VLLM_API_KEY" | sha256sum)
    printf '%s%s:"%s"' "$separator" "$(str "${job##*/}")" "${digest%% *}"
    separator=,
  done
}

network_json() {
  for python in "$root"/engines/*/bin/python "$(command -v python3)"; do
    [ -x "$python" ] || continue
    answers=$(
      set -a
      [ -f "$root/env" ] && . "$root/env"
      INDEX=$(root=$root bash -c "$indexes"' printf %s "${UV_DEFAULT_INDEX:-}"')
      set +a
      timeout 30 "$python" -c "$probe" 2>/dev/null
    )
    case $answers in
      '{'*'}') printf '%s' "$answers" && return ;;
    esac
  done
  printf null
}

printf '{"gpu_processes":%s,"keys":{%s},"network":%s}\n' \
  "$(str "$(gpu_processes)")" "$(keys_json)" "$(network_json)"
