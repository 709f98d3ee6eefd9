step_storage() {
  local made=ok
  if [ ! -d "$models_path" ]; then
    if ! mkdir -p "$models_path" 2>/dev/null; then
      as_root mkdir -p "$models_path"
      as_root chown "$(id -u):$(id -g)" "$models_path"
    fi
    made=changed
  fi
  if ! touch "$models_path/.podfab" || ! rm "$models_path/.podfab"; then
    echo "$(id -un) may not write to $models_path; name another folder with --models-path" >&2
    return 1
  fi
  report $made "$models_path, $(df -Ph "$models_path" | awk 'NR == 2 {print $4}') free"
}
