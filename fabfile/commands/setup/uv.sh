step_uv() {
  local uv
  uv=$(usable_uv)
  if [ -n "$uv" ]; then
    report ok "$uv"
    return
  fi
  # Who names an index has a reason to stay with it.
  if [ -n "${UV_DEFAULT_INDEX:-}${UV_FIND_LINKS:-}" ]; then
    with_pip || with_installer || true
  else
    with_installer || with_pip || true
  fi
  uv=$(usable_uv)
  if [ -z "$uv" ]; then
    echo "uv could not be installed: neither https://astral.sh/uv nor $(index_name) gave it" >&2
    advise_index /dev/null
    return 1
  fi
  report changed "$("$uv" --version), $uv"
}

with_installer() {
  fetch https://astral.sh/uv/install.sh "$root/cache/uv-installer.sh" || return 1
  echo "installing uv with its standalone installer"
  env UV_UNMANAGED_INSTALL="$root/bin" timeout 300 sh "$root/cache/uv-installer.sh" || return 1
  [ -n "$(usable_uv)" ]
}

with_pip() {
  local python options=(-q --retries 2 --timeout 30)
  python=$(command -v python3) || { pip_from_apt && python=$(command -v python3); } || return 1
  # In a closed network the index that was named for uv is pip's way too.
  if [ -n "${UV_DEFAULT_INDEX:-}" ]; then export PIP_INDEX_URL="${PIP_INDEX_URL:-$UV_DEFAULT_INDEX}"; fi
  echo "installing uv with pip"
  if "$python" -m venv --clear "$root/uv" 2>/dev/null ||
    { pip_from_apt && "$python" -m venv --clear "$root/uv"; }; then
    "$root/uv/bin/pip" install "${options[@]}" uv || return 1
  else
    rm -rf "$root/uv"
    "$python" -m pip install "${options[@]}" --target "$root/uv" uv || return 1
  fi
  [ -n "$(usable_uv)" ]
}

pip_from_apt() {
  command -v apt-get >/dev/null || return 1
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 1
  echo "python3 with its venv module is missing; installing the package python3-venv"
  apt_get update -qq && apt_install python3 python3-venv
}
