# Start a job. Needs: root, job, cap, owner, and the function write_files, which fills $run.
# Prints "RUN PID", or "busy WHO" when the job still runs.
jobs=$root/jobs/$job
mkdir -p "$jobs/runs" || exit 1
exec 9>"$root/lock"
if ! flock -w 20 9; then
  echo "another podfab holds the lock of this pod: $(cat "$root/lock.owner" 2>/dev/null)" >&2
  exit 1
fi
echo "$owner" >"$root/lock.owner"

if [ -e "$jobs/current" ] && alive "$jobs/current"; then
  read -r details <"$jobs/current/job.json"
  printf 'busy %s\n' "$details"
  exit 0
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
