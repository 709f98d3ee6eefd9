step_uv() {
  local uv
  uv=$(usable_uv)
  if [ -n "$uv" ]; then
    report ok "$uv"
    return
  fi
  if command -v curl >/dev/null && fetch_installer; then
    echo "installing uv with its standalone installer"
    env UV_UNMANAGED_INSTALL="$root/bin" timeout 120 sh "$root/cache/uv-installer.sh" || true
  fi
  uv=$(usable_uv)
  if [ -z "$uv" ]; then
    echo "the standalone installer is out of reach; installing uv with pip"
    install_with_pip || true
    uv=$(usable_uv)
  fi
  if [ -z "$uv" ]; then
    echo "uv could not be installed: neither https://astral.sh/uv nor pip's index gave it" >&2
    echo "set PIP_INDEX_URL to an index that this pod reaches, or install uv on the pod" >&2
    return 1
  fi
  report changed "$("$uv" --version), $uv"
}

fetch_installer() {
  curl -fsSL --connect-timeout 5 --max-time 60 -o "$root/cache/uv-installer.sh" \
    https://astral.sh/uv/install.sh
}

install_with_pip() {
  local python
  python=$(command -v python3) || { echo "no python3 here either" >&2; return 1; }
  if ! "$python" -m venv --clear "$root/uv"; then
    echo "python3 lacks its venv module; trying the package python3-venv"
    as_root apt-get -o DPkg::Lock::Timeout=120 update -qq &&
      as_root apt-get -o DPkg::Lock::Timeout=120 install -y -qq python3-venv &&
      "$python" -m venv --clear "$root/uv" || return 1
  fi
  "$root/uv/bin/pip" install -q --disable-pip-version-check --retries 2 uv
}
