# Start a job. Needs: root, job, cap, owner, and the function write_files, which fills $run; of its
# claim: port, gpus, beside (names of jobs that may hold these GPUs too), forced.
# Prints "RUN PID", "busy WHO" when the job still runs, "taken NAME WHO" when another holds what it
# claims.
jobs=$root/jobs/$job
mkdir -p "$jobs/runs" || exit 1
lock_pod || exit 1

if [ -e "$jobs/current" ] && alive "$jobs/current"; then
  read -r details <"$jobs/current/job.json"
  printf 'busy %s\n' "$details"
  exit 0
fi

# An engine is left, and its GPU's memory with it, when its server and its supervisor were killed.
if [ -n "$port" ]; then
  grep -lazsF "PODFAB_RUN=$jobs/runs/" /proc/[0-9]*/environ |
    while IFS=/ read -r _ _ left _; do kill -KILL "$left"; done
fi

# Tell whether a job claims our port, or one of our GPUs and we were not planned beside it.
collides() {
  read -r its_port its_gpus <"$1/claim" || return 1
  [ "$its_port" = "$port" ] && return 0
  case " $beside " in *" $2 "*) return 1 ;; esac
  for gpu in $gpus; do
    case " $its_gpus " in *" $gpu "*) return 0 ;; esac
  done
  return 1
}

if [ -n "$port" ] && [ -z "$forced" ]; then
  for other in "$root"/jobs/*/current; do
    if [ ! -f "$other/claim" ] || ! alive "$other"; then continue; fi
    name=${other%/current} name=${name##*/}
    if collides "$other" "$name"; then
      read -r details <"$other/job.json"
      printf 'taken %s %s\n' "$name" "$details"
      exit 0
    fi
  done
fi

last=$(find "$jobs/runs" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
run=$jobs/runs/$((${last:-0} + 1))
mkdir "$run" || exit 1
if ! write_files; then
  rm -rf "$run"
  echo "could not write the job's files to $run (is the disk full?)" >&2
  exit 1
fi
: >"$run/log" && echo "${run##*/}" >"$run/number"
ln -sfn "runs/${run##*/}" "$jobs/current.new" && mv -T "$jobs/current.new" "$jobs/current"
find "$jobs/runs" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | head -n -5 |
  while read -r old; do rm -rf "${jobs:?}/runs/$old"; done

setsid sh "$run/supervise.sh" "$run" "$cap" </dev/null >/dev/null 2>&1 9>&- &
i=0
while [ ! -f "$run/pid" ] && [ ! -f "$run/exit" ] && [ $i -lt 100 ]; do
  sleep 0.05
  i=$((i + 1))
done
read -r pid _ <"$run/pid" && printf 'started %s %s\n' "${run##*/}" "$pid"
