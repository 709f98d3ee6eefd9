# A process is known by pid, start time and boot: a pid alone may be somebody else's by now.
read -r boot_id </proc/sys/kernel/random/boot_id || boot_id=unknown

# Set start_time, state and session of a pid; fail when there is no such process.
look_at() {
  [ -n "$1" ] || return 1
  stat_line=
  read -r stat_line 2>/dev/null <"/proc/$1/stat" || return 1
  # shellcheck disable=SC2086
  set -- ${stat_line##*) }
  state=$1 session=$4 start_time=${20}
}

# Tell whether the process of a run still lives; sets pid. With a second word: its supervisor.
alive() {
  pid='' pid_start='' pid_boot=''
  [ -f "$1/${2:-pid}" ] && read -r pid pid_start pid_boot <"$1/${2:-pid}"
  [ -n "$pid" ] && [ "$pid_boot" = "$boot_id" ] && look_at "$pid" &&
    [ "$start_time" = "$pid_start" ] && [ "$state" != Z ]
}
