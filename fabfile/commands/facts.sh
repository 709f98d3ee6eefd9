# Everything that setup and start must know about a pod, as one JSON document.
# Needs: root, models_path (empty: below the root), mount_target (or empty), gpu_query (the columns
# asked of nvidia-smi), weights (the folder of a model that is looked for, or empty). Functions of json.sh, process.sh, status.sh.

there() { # the folder, or its nearest parent that exists
  folder=$1
  while [ ! -e "$folder" ] && [ -n "$folder" ]; do folder=${folder%/*}; done
  printf '%s' "${folder:-/}"
}

free_mib() {
  df -Pk "$(there "$1")" 2>/dev/null |
    { read -r _ && read -r _ _ _ kib _ && echo $((kib / 1024)); }
}

writable() {
  folder=$(there "$1")
  [ -d "$folder" ] && [ -w "$folder" ] && echo true || echo false
}

shm_mib() { # its whole size
  df -Pk /dev/shm 2>/dev/null | { read -r _ && read -r _ kib _ && echo $((kib / 1024)); }
}

# Places with room that we may write to. df can hang on a dead network filesystem.
volumes_json() {
  separator=
  timeout 10 df -aPk -x tmpfs -x devtmpfs -x overlay -x squashfs 2>/dev/null |
    while read -r _ _ _ kib _ place; do
      case $place in
        / | /boot* | /dev/* | /etc/* | /proc/* | /run/* | /snap/* | /sys/* | /usr/*) continue ;;
      esac
      [ -d "$place" ] && [ "${kib:-0}" -ge 20971520 ] 2>/dev/null || continue
      [ -w "$place" ] || [ "$rights" = passwordless ] || continue
      printf '%s{"path":%s,"free_mib":%s}' "$separator" "$(str "$place")" "$((kib / 1024))"
      separator=,
    done
}

# Makers of the GPUs on the bus, also of those without a driver; a container sees its host's bus.
cards() {
  if [ -e /dev/kfd ] || command -v rocm-smi >/dev/null || command -v amd-smi >/dev/null; then
    printf 'amd '
  fi
  [ -f /.dockerenv ] || [ -f /run/.containerenv ] || [ -n "${container:-}" ] && return
  for device in /sys/bus/pci/devices/*; do
    class='' vendor=''
    [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor"
    case "$vendor $class" in '0x10de 0x03'* | '0x10de 0x12'*) printf 'nvidia ' && return ;; esac
  done
}

nvccs_json() {
  separator=
  for path in /usr/local/cuda/bin/nvcc /usr/local/cuda-*/bin/nvcc "$(command -v nvcc)"; do
    # One without its headers beside it is a wrapper, or can not compile.
    [ -x "$path" ] && [ -f "${path%/bin/nvcc}/include/cuda_runtime.h" ] || continue
    release=$("$path" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
    printf '%s{"path":%s,"version":%s}' "$separator" "$(str "$path")" "$(str "$release")"
    separator=,
  done
}

# What setup may use to fetch uv: the modules of the system's python3.
modules() {
  command -v python3 >/dev/null && python3 -c '
from importlib.util import find_spec
print(*[name for name in ("pip", "ensurepip") if find_spec(name)])' 2>/dev/null
}

pythons_json() {
  separator=
  for version in 3.10 3.11 3.12 3.13 3.14; do
    for folder in /usr/bin /usr/local/bin; do
      [ -x "$folder/python$version" ] || continue
      headers=false
      [ -f "${folder%/bin}/include/python$version/Python.h" ] && headers=true
      printf '%s{"path":%s,"version":"%s","headers":%s}' \
        "$separator" "$(str "$folder/python$version")" "$version" "$headers"
      separator=,
    done
  done
}

engines_json() {
  separator=
  for venv in "$root"/engines/*/; do
    venv=${venv%/}
    [ -L "$venv" ] || [ ! -f "$venv/podfab-engine" ] && continue
    read -r version <"$venv/podfab-engine"
    kernels=
    [ -f "$venv/podfab-kernels" ] && read -r kernels <"$venv/podfab-kernels"
    printf '%s{"name":%s,"vllm_version":%s,"kernels":%s}' "$separator" \
      "$(str "${venv##*/}")" "$(str "$version")" "$(str "$kernels")"
    separator=,
  done
}

links_json() {
  separator=
  for link in "$root"/engines/*; do
    [ -L "$link" ] || continue
    printf '%s%s:%s' "$separator" "$(str "${link##*/}")" "$(str "$(readlink "$link")")"
    separator=,
  done
}

environment_json() { # digests only: the values are secrets
  separator=
  [ -f "$root/env" ] && while IFS= read -r line; do
    digest=$(printf '%s' "$line" | sha256sum)
    printf '%s"%s"' "$separator" "${digest%% *}"
    separator=,
  done <"$root/env"
}

has_token() {
  grep -qE '^(export )?HF_TOKEN=.' "$root/env" 2>/dev/null && echo true || echo false
}

weights_mib() { # what is on the disk of the model that is asked about
  [ -n "$weights" ] && [ -d "$models_path/hub/$weights" ] &&
    du -sm "$models_path/hub/$weights" 2>/dev/null | { read -r mib _ && echo "$mib"; }
}

tools_json() {
  separator=
  for tool in apt-get bash cc curl flock mount.cifs mount.nfs python3 setsid sha256sum sshfs wget; do
    path=$(command -v "$tool") || continue
    printf '%s%s:%s' "$separator" "$(str "$tool")" "$(str "$path")"
    separator=,
  done
}

sudo_kind() {
  if [ "$(id -u)" = 0 ]; then echo root
  elif sudo -n true 2>/dev/null; then echo passwordless
  else echo none; fi
}

# Where the weights are is known on the pod, when the client does not know it.
[ -z "$models_path" ] && [ -f "$root/env" ] && models_path=$(HF_HOME=; . "$root/env"; echo "$HF_HOME")
case $models_path in
  '') models_path=$root/models ;;
  \~/*) models_path=$HOME/${models_path#\~/} ;;
esac
rights=$(sudo_kind)
gpu_text='' gpu_list='' nvccs=''
if command -v nvidia-smi >/dev/null; then
  gpu_text=$(timeout 30 nvidia-smi --format=csv,noheader --query-gpu="$gpu_query" 2>&1)
  [ -n "$gpu_text" ] || gpu_text='nvidia-smi gave no answer'
  case $gpu_text in
    *'not a valid field'*) # a driver from before these columns; how old it is can still be told
      gpu_text=$(timeout 30 nvidia-smi --format=csv,noheader \
        --query-gpu=index,uuid,name,memory.total,memory.free,driver_version 2>&1 |
        sed 's|$|, [N/A], [N/A]|') ;;
    *Enabled*) gpu_list=$(timeout 30 nvidia-smi -L 2>&1) ;;
  esac
  nvccs=$(nvccs_json)
fi
# shellcheck disable=SC1091
[ -r /etc/os-release ] && . /etc/os-release
uv=
for path in "$root/bin/uv" "$root/uv/bin/uv" "$(command -v uv)"; do
  if [ -x "$path" ] && "$path" pip install --help 2>/dev/null | grep -q -e --excludes; then
    uv=$path
    break
  fi
done
[ -n "$uv" ] && modules='' || modules=$(modules)
mounted=null
[ -n "$mount_target" ] && { mountpoint -q "$mount_target" && mounted=true || mounted=false; }

printf '{"user":%s,"home":%s,"root":%s,"hostname":%s,"now":%s,' "$(str "$(id -un)")" \
  "$(str "$HOME")" "$(str "$root")" "$(str "$(uname -n)")" "$(num "$(date +%s)")"
printf '"os":%s,"distribution":%s,"arch":%s,"libc":%s,"rights":%s,"cards":%s,' \
  "$(str "${PRETTY_NAME:-unknown}")" "$(str "${ID:-}${VERSION_ID:-}")" "$(str "$(uname -m)")" \
  "$(str "$(getconf GNU_LIBC_VERSION 2>/dev/null)")" "$(str "$rights")" "$(str "$(cards)")"
printf '"gpus":%s,"gpu_list":%s,"nvccs":[%s],"uv":%s,"tools":{%s},"modules":%s,"pythons":[%s],' \
  "$(str "$gpu_text")" "$(str "$gpu_list")" "$nvccs" "$(str "$uv")" "$(tools_json)" \
  "$(str "$modules")" "$(pythons_json)"
printf '"certificates":%s,"mounted":%s,"volumes":[%s],' \
  "$([ -e /etc/ssl/certs/ca-certificates.crt ] && echo true || echo false)" \
  "$mounted" "$(volumes_json)"
printf '"root_free_mib":%s,"models_free_mib":%s,"shm_mib":%s,"memory_mib":%s,' \
  "$(num "$(free_mib "$root")")" "$(num "$(free_mib "$models_path")")" "$(num "$(shm_mib)")" \
  "$(num "$(awk '/MemTotal/{print int($2/1024)}' /proc/meminfo)")"
printf '"engines":[%s],"links":{%s},"environment":[%s],"root_writable":%s,' \
  "$(engines_json)" "$(links_json)" "$(environment_json)" "$(writable "$root")"
printf '"models_path":%s,"models_path_exists":%s,"models_path_writable":%s,' "$(str "$models_path")" \
  "$([ -d "$models_path" ] && echo true || echo false)" "$(writable "$models_path")"
printf '"token":%s,"weights_mib":%s,' "$(has_token)" "$(num "$(weights_mib)")"
printf '"ports":%s,"jobs":%s}\n' \
  "$(str "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {print $2}')")" \
  "$(jobs_json)"
