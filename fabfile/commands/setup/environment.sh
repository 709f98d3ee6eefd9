# The values come beside this script, in a file only its owner can read: they may be secrets.
step_environment() {
  local given=${run:-}/environment
  if [ ! -f "$given" ]; then
    report skipped "no values given; $root/env stays as it is"
    return
  fi
  {
    cat "$given"
    if [ -f "$root/env" ]; then
      # Variables that are not given now are kept.
      grep -vE "^($(cut -d= -f1 "$given" | paste -sd'|'))=" "$root/env" || true
    fi
  } >"$root/env.new"
  if [ -f "$root/env" ] && cmp -s "$root/env.new" "$root/env"; then
    rm "$root/env.new"
    report ok "$root/env"
    return
  fi
  mv "$root/env.new" "$root/env"
  report changed "$root/env"
}
