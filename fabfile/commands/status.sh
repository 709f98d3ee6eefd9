# What the job folders say, as a JSON list. Needs: root. Optional: markers, an ERE of phase marks.

# Ask all ready servers at once whether they are well: lines "PORT=CODE".
ask_health() {
  # shellcheck disable=SC2016
  bash -c '
    for port; do
      (
        exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$port" || exit
        printf "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3
        IFS=" " read -r -t 3 _ code _ <&3 && echo "$port=$code"
      ) &
    done
    wait' ask "$@"
}

ready_ports() {
  for run in "$root"/jobs/[!_]*/current; do
    if [ -f "$run/ready" ] && alive "$run"; then
      read -r port <"$run/ready" && printf '%s ' "$port"
    fi
  done
}

job_json() {
  run=$1 exit_code='' health='' phase='' tail_text='' life=false
  job=${run%/current} job=${job##*/}
  [ -f "$run/exit" ] && read -r exit_code <"$run/exit"
  if alive "$run"; then
    life=true
    if [ -f "$run/ready" ]; then
      read -r port <"$run/ready"
      health=${answers##*"$port="} health=${health%% *}
      case " $answers " in *" $port=$health "*) ;; *) health='' ;; esac
    elif [ -n "${markers:-}" ]; then
      phase=$(tail -c 262144 "$run/log" 2>/dev/null | grep -aoE "$markers" | tail -n 1)
    fi
  elif [ ! -f "$run/stopped" ]; then
    tail_text=$(tail -c 16384 "$run/log" 2>/dev/null)
  fi
  read -r details <"$run/job.json" || details='{}'
  number=$(readlink "$run") number=${number##*/}
  printf '{"name":%s,"run":%s,"alive":%s,"pid":%s,"exit":%s,' \
    "$(str "$job")" "$(num "$number")" "$life" "$(num "$pid")" "$(num "$exit_code")"
  printf '"ready":%s,"stopped":%s,"health":%s,"phase":%s,"tail":%s,"details":%s}' \
    "$([ -f "$run/ready" ] && echo true || echo false)" \
    "$([ -f "$run/stopped" ] && echo true || echo false)" \
    "$(num "$health")" "$(str "$phase")" "$(str "$tail_text")" "$(str "$details")"
}

jobs_json() {
  ports=$(ready_ports)
  # shellcheck disable=SC2086
  answers=$([ -n "$ports" ] && ask_health $ports | tr '\n' ' ')
  separator=
  printf '['
  for current in "$root"/jobs/*/current; do
    [ -f "$current/job.json" ] || continue
    printf '%s' "$separator"
    job_json "$current"
    separator=,
  done
  printf ']'
}
