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

# What a log says beside its frames of tracebacks, its bars and what went well: eight workers that
# fail alike write more than can be sent, and the root cause stands before all of it. And what vLLM
# was given: the advice depends on it.
telling() {
  head -c 262144 "$1" 2>/dev/null | grep -aE 'non-default args:|Initializing a V1' | cut -c -4000
  tail -c 1048576 "$1" 2>/dev/null | tr '\r' '\n' |
    grep -avE '(INFO|DEBUG|WARNING) [0-9][0-9]-[0-9][0-9] |File ".*", line [0-9]|(^|[])])    |%\|' |
    tail -c 16384
}

job_json() {
  run=$1 exit_code='' health='' phase='' tail_text='' number=''
  life=false ready=false stopped=false
  job=${run%/current} job=${job##*/}
  [ -f "$run/exit" ] && read -r exit_code <"$run/exit"
  [ -f "$run/ready" ] && ready=true
  [ -f "$run/stopped" ] && stopped=true
  if alive "$run"; then
    life=true
    if $ready; then
      read -r port <"$run/ready"
      health=${answers##*"$port="} health=${health%% *}
      case " $answers " in *" $port=$health "*) ;; *) health='' ;; esac
    elif [ -n "${markers:-}" ]; then
      phase=$(tail -c 262144 "$run/log" 2>/dev/null | grep -aoE "$markers" | tail -n 1)
    fi
  elif ! $stopped && [ "${job#_}" = "$job" ]; then
    tail_text=$(telling "$run/log")
  fi
  read -r details <"$run/job.json" || details='{}'
  [ -f "$run/number" ] && read -r number <"$run/number"
  # Printed piece by piece: command substitution would start a process for each.
  printf '{"name":' && str "$job" && printf ',"run":' && num "$number"
  printf ',"alive":%s,"pid":' "$life" && num "$pid" && printf ',"exit":' && num "$exit_code"
  printf ',"ready":%s,"stopped":%s,"health":' "$ready" "$stopped"
  num "$health" && printf ',"phase":' && str "$phase" && printf ',"tail":' && str "$tail_text"
  case $details in
    '{'*'}') ;;
    *) details='{}' ;;
  esac
  printf ',"details":%s}' "$details"
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
