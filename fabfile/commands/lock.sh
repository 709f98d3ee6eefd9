# One podfab at a time changes what runs on a pod. Needs: root, owner. Held until the script ends, or
# until unlock_pod.
lock_pod() {
  exec 9>"$root/lock"
  if ! flock -w 20 9; then
    echo "another podfab holds the lock of this pod: $(cat "$root/lock.owner" 2>/dev/null)" >&2
    return 1
  fi
  { echo "$owner" >"$root/lock.owner"; } 2>/dev/null || : # the disk may be full
}

unlock_pod() {
  exec 9>&-
}
