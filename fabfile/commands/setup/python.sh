step_python() {
  local uv
  uv=$(usable_uv)
  if "$uv" python find --no-python-downloads "$python" 2>/dev/null; then
    report ok "$("$uv" python find --no-python-downloads "$python")"
    return
  fi
  if ! timeout 600 "$uv" python install "$python"; then
    echo "uv could not fetch a Python $python (it comes from GitHub)" >&2
    echo "install one on the pod, or name a mirror in UV_PYTHON_INSTALL_MIRROR" >&2
    return 1
  fi
  report changed "$("$uv" python find "$python")"
}
