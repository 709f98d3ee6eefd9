step_storage() {
  if [ -d "$models_path" ]; then
    report ok "$models_path"
    return
  fi
  mkdir -p "$models_path"
  report changed "$models_path"
}
