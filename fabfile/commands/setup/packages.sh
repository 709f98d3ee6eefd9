step_packages() {
  local name missing=()
  for name in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  if [ ${#missing[@]} = 0 ]; then
    report ok "nothing is missing"
    return
  fi
  # Lists that can not be renewed may still name what is wanted.
  apt_get update -qq || echo "apt's lists could not be renewed" >&2
  if ! apt_install "${missing[@]}"; then
    echo "apt could not install: ${missing[*]}" >&2
    echo "see above; its sources are in /etc/apt, a proxy is named in /etc/apt/apt.conf" >&2
    return 1
  fi
  report changed "${missing[*]}"
}
