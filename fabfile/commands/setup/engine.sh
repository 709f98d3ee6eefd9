# A venv counts as an engine when it holds the file podfab-engine, which only `verify` writes.
step_engine() {
  local uv venv=$root/engines/$engine
  if [ -f "$venv/podfab-engine" ] || [ -f "$venv/podfab-installed" ]; then
    report ok "$package $version is installed"
    return
  fi
  uv=$(usable_uv)
  # What an interrupted run left is not trusted; its downloads are still in uv's cache.
  "$uv" venv --quiet --clear --python "$python" "$venv"
  if ! (set -o pipefail; install_engine 2>&1 | tee "$root/cache/install.log"); then
    if disk_is_full; then
      echo "the disk that holds $root is full" >&2
      echo "free some room there (inv pods.clean), or name another disk with --root" >&2
      return 1
    fi
    echo "$package $version could not be installed from $(index_name)${index:+ and $index}" >&2
    advise_index "$root/cache/install.log"
    return 1
  fi
  if [ -n "$metadata_version" ]; then
    stub_metadata "$venv"
  fi
  printf '%s\n' "$engine_environment" >"$venv/podfab-env"
  : >"$venv/podfab-installed"
  report changed "$package $version"
}

disk_is_full() {
  grep -q "No space left on device" "$root/cache/install.log" ||
    [ "$(df -Pk "$root" | awk 'NR == 2 {print $4}')" -lt 10240 ]
}

install_engine() {
  local options=(--python "$venv/bin/python") wanted=("$package==$version")
  if [ "$version" = latest ]; then
    wanted=("$package")
    options+=(--prerelease allow)
  fi
  wanted+=("${also[@]}")
  if [ -n "$index" ]; then
    options+=(--index "$index")
  fi
  if [ ${#excludes[@]} -gt 0 ]; then
    printf '%s\n' "${excludes[@]}" >"$root/cache/excludes"
    options+=(--excludes "$root/cache/excludes")
  fi
  if [ -z "$torch_backend" ]; then
    "$uv" pip install "${options[@]}" "${wanted[@]}"
    return
  fi
  # Where an index or a folder of wheels has the right torch, PyTorch's own index is not needed.
  if [ -n "${UV_FIND_LINKS:-}${UV_DEFAULT_INDEX:-}${UV_INDEX:-}" ]; then
    "$uv" pip install "${options[@]}" "${wanted[@]}" && return
    if disk_is_full; then return 1; fi
  fi
  "$uv" pip install "${options[@]}" --torch-backend "$torch_backend" "${wanted[@]}"
}

# The `vllm` command asks for the version of a distribution of that name; other builds have none.
stub_metadata() {
  local site
  site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  mkdir -p "$site/vllm-$metadata_version.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s\n' "$metadata_version" \
    >"$site/vllm-$metadata_version.dist-info/METADATA"
}
