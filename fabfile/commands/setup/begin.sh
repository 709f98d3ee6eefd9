set -u
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
umask 077

# What is on the pod already counts for uv too: it reads neither pip's variables nor the env file.
set -a
# shellcheck disable=SC1091
[ -f "$root/env" ] && . "$root/env"
# shellcheck disable=SC1091
[ -f "${run:-}/environment" ] && . "$run/environment"
set +a
export UV_CACHE_DIR="$root/cache/uv" UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-60}" UV_NO_PROGRESS=1
export UV_PYTHON_INSTALL_DIR="$root/python" NO_COLOR=1 DEBIAN_FRONTEND=noninteractive
export PIP_DISABLE_PIP_VERSION_CHECK=1
mkdir -p "$root/bin" "$root/engines" "$root/cache" || exit 1

# A step says once how it went: report ok|changed|skipped TEXT.
report() {
  printf '@podfab step %s %s %s %s\n' "$step" "$1" "$SECONDS" "$2"
}

# Run a step in a shell of its own; a failure ends the setup there.
run_step() {
  step=$1 SECONDS=0
  printf '@podfab step %s started 0 \n' "$step"
  (set -e; "step_$step")
  local code=$?
  if [ "$code" != 0 ]; then
    report failed "exit $code"
    exit "$code"
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Each download gives up by itself: a mirror that hangs must not hang the setup.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@"
}

# Install packages. A run that was killed may have left some half configured, and apt refuses then.
apt_install() {
  if [ -n "$(dpkg --audit 2>/dev/null)" ] || [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ]; then
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a || return 1
  fi
  apt_get install -y -qq --no-install-recommends "$@"
}

# fetch URL FILE, with whichever program is here
fetch() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 5 --max-time 120 -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q --timeout=10 --tries=1 -O "$2" "$1"
  else
    return 1
  fi
}

# The uv to use, or nothing: old ones do not know --excludes.
usable_uv() {
  local candidate
  for candidate in "$root/bin/uv" "$root/uv/bin/uv" "$(command -v uv || true)" "$HOME/.local/bin/uv"; do
    if [ -x "$candidate" ] && "$candidate" pip install --help 2>/dev/null | grep -q -e --excludes; then
      echo "$candidate"
      return
    fi
  done
}
