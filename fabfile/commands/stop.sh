# End a job and prove it. Needs: root, job, owner, grace (seconds).
# Prints "absent" when there was no such job; else "left PIDS" (none: all gone), "held PORT" when its
# port is still open, "beside NAME" for each job that shares a GPU with it, and lines "start ID MIB",
# "before ID MIB", "after ID MIB" of its GPUs' memory: in use when it was started, when it was told to
# end, and when it was gone.
if [ ! -e "$root/jobs/$job/current" ]; then
  echo absent
  exit 0
fi
# A start that is under way has a process to end, or is not seen at all.
lock_pod || exit 1
run=$(readlink -f "$root/jobs/$job/current")
: >"$run/stopped"
unlock_pod

# The sockets that listen on a port: what opens it a moment later is not what we ended.
sockets() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port {print $10}'
}

port='' gpus=''
[ -f "$run/claim" ] && read -r port gpus <"$run/claim"
opened=''
[ -f "$run/ready" ] && opened=$(sockets "$port")
before=$(gpu_memory)
computing=$(gpu_processes)

# Of the run are: the session of its process, whatever carries its marker in its environment, and
# what computes on a GPU from within the run's folder. A pid may be somebody else's by now, and so
# may a session's number when its leader is gone: then only who works in the run's folder is ours.
members() {
  leader='' leader_start='' leader_boot=''
  [ -f "$run/pid" ] && read -r leader leader_start leader_boot <"$run/pid"
  found=' '
  if [ -n "$leader" ] && [ "$leader_boot" = "$boot_id" ]; then
    why=session
    if ! look_at "$leader"; then why=orphan; elif [ "$start_time" != "$leader_start" ]; then why=''; fi
    for folder in /proc/[0-9]*; do
      [ -n "$why" ] && add "${folder#/proc/}" $why
    done
  fi
  # shellcheck disable=SC2013
  for file in $(grep -lazsxF "PODFAB_RUN=$run" /proc/[0-9]*/environ); do
    one=${file#/proc/}
    add "${one%/environ}" marker
  done
  for one in $computing; do
    add "$one" computes
  done
  # shellcheck disable=SC2086
  echo $found
}

add() { # PID WHY
  case $found in *" $1 "*) return ;; esac
  look_at "$1" && [ "$state" != Z ] || return
  case $2 in session | orphan) [ "$session" = "$leader" ] || return ;; esac
  case $2 in orphan | computes) [ "$(readlink "/proc/$1/cwd")" = "$run" ] || return ;; esac
  found="$found$1 "
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

# The driver takes memory back a moment after a process is gone.
memory_back() {
  i=0 steady=0 after=$(gpu_memory)
  while [ -n "$after" ] && [ -f "$run/gpus" ] && [ $i -lt 15 ] && [ $steady -lt 5 ]; do
    more=$(printf '%s\n' "$after" | while read -r id used; do
      start=$(sed -n "s/^$id //p" "$run/gpus")
      [ "$used" -gt $((${start:-0} + 512)) ] && echo "$id"
    done)
    [ -n "$more" ] || return 0
    sleep 1
    last=$after after=$(gpu_memory) i=$((i + 1))
    [ "$after" = "$last" ] && steady=$((steady + 1)) || steady=0
  done
}

beside() {
  for other in "$root"/jobs/[!_]*/current; do
    if [ -z "$gpus" ] || [ ! -f "$other/claim" ] || ! alive "$other"; then continue; fi
    read -r _ its_gpus <"$other/claim"
    for gpu in $gpus; do
      case " $its_gpus " in *" $gpu "*) other=${other%/current} && echo "beside ${other##*/}" && break ;; esac
    done
  done
}

signal TERM
# A second TERM ends most engines that ignored the first while they were starting.
gone_within $((grace * 5)) || { signal TERM; gone_within $((grace * 5)); } ||
  { signal KILL; gone_within 100; }
# How it ended is written by the supervisor, when it lives.
i=0
while alive "$run" supervisor && [ ! -f "$run/exit" ] && [ $i -lt 60 ]; do
  sleep 0.1
  i=$((i + 1))
done
echo "left $(members)"
for socket in $opened; do
  case " $(sockets "$port" | tr '\n' ' ')" in *" $socket "*) echo "held $port" && break ;; esac
done
beside
memory_back
[ -f "$run/gpus" ] && sed 's/^/start /' "$run/gpus"
printf '%s\n' "$before" | sed -n 's/./before &/p'
printf '%s\n' "${after:-}" | sed -n 's/./after &/p'
exit 0
