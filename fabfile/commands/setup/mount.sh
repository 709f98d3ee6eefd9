step_mount() {
  local run_as=()
  if mountpoint -q "$mount_target"; then
    report ok "$mount_target"
    return
  fi
  if [ "$mount_as_root" = yes ]; then run_as=(as_root); fi
  [ -d "$mount_target" ] || "${run_as[@]}" mkdir -p -m 755 "$mount_target"
  # Not as a function of ours: timeout knows only programs.
  if [ "$mount_as_root" = yes ] && [ "$(id -u)" != 0 ]; then
    mount_words=(sudo -n "${mount_words[@]}")
  fi
  if ! timeout 120 "${mount_words[@]}"; then
    echo "the mount failed: ${mount_words[*]}" >&2
    return 1
  fi
  if ! mountpoint -q "$mount_target"; then
    echo "the mount command ended well, but $mount_target is no mount point" >&2
    return 1
  fi
  report changed "$mount_target"
}
