step_python() {
  local uv version path
  uv=$(usable_uv)
  if python_found; then
    report ok "$path"
    return
  fi
  if timeout 600 "$uv" python install "$python"; then
    report changed "$("$uv" python find "$python")"
    return
  fi
  echo "uv could not fetch a Python $python (it comes from GitHub); looking in the system's packages"
  for version in "${python_versions[@]}"; do
    apt-cache show "python$version-dev" >/dev/null 2>&1 || continue
    apt_install "python$version" "python$version-dev" || continue
    if python_found; then
      report changed "$path"
      return
    fi
  done
  echo "no Python $python: neither GitHub nor the system's packages gave one" >&2
  echo "install one on the pod, or name a mirror in UV_PYTHON_INSTALL_MIRROR" >&2
  return 1
}

python_found() {
  path=$("$uv" python find --no-python-downloads "$python" 2>/dev/null)
}
