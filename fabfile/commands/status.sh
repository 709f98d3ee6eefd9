# What the job folders say, as a JSON list. Needs: root. Optional: markers, an ERE of phase marks.

# Ask all ready servers at once how they are: lines "PORT=CODE", then "PORT:RUNNING,WAITING,KV", the
# requests and the share of the KV cache that is in use. A connection for each question: a second one
# on the same would wait for the first one's acknowledgement (40 ms).
ask_servers() {
  # shellcheck disable=SC2016
  timeout 3 bash -c '
    ask() {
      exec 3<>"/dev/tcp/127.0.0.1/$port" && printf "GET $1 HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3
    }
    for port; do
      (
        exec 2>/dev/null
        ask /health && IFS=" " read -r _ code _ <&3 && echo "$port=$code" && ask /metrics &&
          exec awk -v port="$port" "$0" <&3
      ) &
    done
    wait' '
    /^vllm:num_requests_running[{ ]/ { running += $NF; known = 1 }
    /^vllm:num_requests_waiting[{ ]/ { waiting += $NF }
    /^vllm:kv_cache_usage_perc[{ ]/ { if ($NF > cache) cache = $NF }
    END { if (known) printf "%s:%d,%d,%.4f\n", port, running, waiting, cache }' "$@"
}

# Sets ports, and logs: those of the servers that are ready.
ready_servers() {
  ports='' logs=''
  for run in "$root"/jobs/[!_]*/current; do
    if [ -f "$run/ready" ] && alive "$run"; then
      read -r port <"$run/ready" && ports="$ports $port" logs="$logs$run/log$line_end"
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

# The newest line of each ready log that tells its throughput, as "RUN LINE", or "RUN cut": vLLM
# writes one every ten seconds while it works.
throughputs() {
  printf '%s' "$logs" | xargs -d '\n' tail -v -c 16384 2>/dev/null | awk '
    /^==> .* <==$/ { run = substr($0, 5, length($0) - 12) }
    /Avg prompt throughput/ { line[run] = substr($0, 1, 400) }
    /^\[podfab\] the log is cut here/ { line[run] = "cut" }
    END { for (run in line) print run " " line[run] }'
}

# What a download has brought so far and all that it is, in bytes.
fetched_json() {
  fetched='' bytes=''
  if [ -f "$run/weights" ] && [ ! -f "$run/fetched" ]; then
    read -r weights <"$run/weights"
    fetched=$(du -sk "$weights" 2>/dev/null) && fetched=$((${fetched%%[!0-9]*} * 1024))
    [ -f "$run/bytes" ] && read -r bytes <"$run/bytes"
  fi
  printf ',"fetched":' && num "$fetched" && printf ',"bytes":' && num "$bytes"
}

# Sets value to what follows a key in lines of "KEYVALUE". Line by line: a shell takes a long text
# apart in quadratic time.
after() { # KEY LINES
  value=''
  set -f
  IFS=$line_end
  for line in $2; do
    case $line in "$1"*) value=${line#"$1"} && break ;; esac
  done
  unset IFS
  set +f
}
line_end='
'

job_json() {
  run=$1 exit_code='' health='' load='' phase='' tail_text='' number='' uptime='' stats=''
  life=false ready=false stopped=false
  job=${run%/current} job=${job##*/}
  for file in "$run/exit" "$run/exit.new"; do # the latter while what it left behind is ended
    [ -f "$file" ] && read -r exit_code <"$file" && break
  done
  [ -f "$run/ready" ] && ready=true
  [ -f "$run/stopped" ] && stopped=true
  if alive "$run"; then
    life=true
    uptime=$((${up%%.*} - start_time / 100))
    if $ready; then
      read -r port <"$run/ready"
      after "$port=" "$answers" && health=$value
      after "$port:" "$answers" && load=$value
      after "$run " "$spoken" && stats=$value
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
  printf ',"uptime":' && num "$uptime" && printf ',"load":' && str "$load"
  printf ',"stats":' && str "$stats" && printf ',"clock":' && str "$clock"
  fetched_json
  case $details in
    '{'*'}') ;;
    *) details='{}' ;;
  esac
  printf ',"details":%s}' "$details"
}

jobs_json() {
  ready_servers
  answers='' spoken='' clock=''
  if [ -n "$ports" ]; then
    clock=$(date '+%Y-%m-%d %H:%M:%S')
    # shellcheck disable=SC2086
    answers=$(ask_servers $ports)
    spoken=$(throughputs)
  fi
  read -r up _ </proc/uptime
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
