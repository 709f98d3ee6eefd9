#!/bin/sh
# Runs one job and writes down how it ended. Started detached, as: supervise.sh RUN LOG_CAP
# It stands outside the job's session, so that ending the session still leaves a record.
run=$1 cap=$2
umask 077
cd "$run" || exit 1

# Write down who a process is: pid, start time, boot.
name_process() {
  read -r stat <"/proc/$2/stat"
  # shellcheck disable=SC2086
  set -- "$1" "$2" ${stat##*) }
  read -r boot </proc/sys/kernel/random/boot_id || boot=unknown
  echo "$2 ${22} $boot" >"$1.new" && mv "$1.new" "$1"
}

name_process supervisor $$
mkfifo pipe || exit 1
# dd hands each piece on as it comes. It counts pieces, not bytes, hence the rounds. At the cap, or
# on a full disk, the rest is drained: the job must never block on its log.
# shellcheck disable=SC2094
{
  size=0
  while [ "$size" -lt "$cap" ] && dd bs=64k count=16 status=none; do
    before=$size size=$(wc -c <log)
    [ "$size" -gt "$before" ] || break
  done
  if [ "$(head -c 1 | wc -c)" -gt 0 ]; then
    echo "[podfab] the log is cut here: it has $((size / 1048576)) MiB"
    cat >/dev/null
  fi
} <pipe >>log 2>/dev/null &
logger=$!

# The marker finds what leaves the session; SPT_NOENV keeps vLLM's process titles from eating it.
PODFAB_RUN=$run SPT_NOENV=1 setsid bash "$run/run.sh" </dev/null >pipe 2>&1 &
pid=$!
name_process pid "$pid"
wait "$pid"
code=$?
echo $code >exit.new

# What it leaves behind when it is killed (an engine keeps its GPU) ends with it: its process group
# bears its pid for as long as one of them lives.
if kill -TERM "-$pid" 2>/dev/null; then
  i=0
  while kill -0 "-$pid" 2>/dev/null && [ $i -lt 50 ]; do
    sleep 0.1
    i=$((i + 1))
  done
  kill -KILL "-$pid" 2>/dev/null
fi

# The last lines are in the log before the end is known; a stray that keeps the pipe open is not
# waited for.
i=0
while kill -0 "$logger" 2>/dev/null && [ $i -lt 20 ]; do
  sleep 0.1
  i=$((i + 1))
done
rm -f pipe
[ -s exit.new ] || echo $code >exit.new # the log had filled the disk
[ -s exit.new ] && mv exit.new exit
