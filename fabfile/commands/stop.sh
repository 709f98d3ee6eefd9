# End a job and prove it. Needs: root, job, grace (seconds).
# Prints "left PIDS" (none: all gone) and "absent" when there was no such job.
run=$root/jobs/$job/current
if [ ! -e "$run" ]; then
  echo absent
  exit 0
fi
run=$(readlink -f "$run")

# Of the run are: the session of its process, and whatever carries its marker in its environment.
# A session's number is trusted while its leader is ours or gone; a live stranger's is not.
members() {
  leader='' leader_start='' leader_boot=''
  [ -f "$run/pid" ] && read -r leader leader_start leader_boot <"$run/pid"
  if [ "$leader_boot" != "$boot_id" ]; then leader=''; fi
  if [ -n "$leader" ] && look_at "$leader" && [ "$start_time" != "$leader_start" ]; then leader=''; fi
  found=' '
  if [ -n "$leader" ]; then
    for folder in /proc/[0-9]*; do
      look_at "${folder#/proc/}" && [ "$session" = "$leader" ] && [ "$state" != Z ] &&
        found="$found${folder#/proc/} "
    done
  fi
  # shellcheck disable=SC2013
  for file in $(grep -lazsxF "PODFAB_RUN=$run" /proc/[0-9]*/environ); do
    one=${file#/proc/} one=${one%/environ}
    case $found in
      *" $one "*) ;;
      *) look_at "$one" && [ "$state" != Z ] && found="$found$one " ;;
    esac
  done
  # shellcheck disable=SC2086
  echo $found
}

signal() {
  name=$1
  # shellcheck disable=SC2046
  set -- $(members)
  [ $# -gt 0 ] && kill -s "$name" "$@" 2>/dev/null
}

gone_within() { # tenths of a second
  i=0
  while [ -n "$(members)" ]; do
    [ $i -ge "$1" ] && return 1
    sleep 0.1
    i=$((i + 1))
  done
}

: >"$run/stopped"
signal TERM
# A second TERM ends most engines that ignored the first while they were starting.
gone_within $((grace * 5)) || { signal TERM; gone_within $((grace * 5)); } ||
  { signal KILL; gone_within 100; }
# How it ended is written by the supervisor, when it lives.
i=0
[ -f "$run/pid" ] && read -r _ _ leader_boot <"$run/pid"
while [ "${leader_boot:-}" = "$boot_id" ] && [ ! -f "$run/exit" ] && [ $i -lt 60 ]; do
  sleep 0.1
  i=$((i + 1))
done
echo "left $(members)"
