# Everything that setup and start must know about a pod, as one JSON document.
# Needs: root, models_path (empty: below the root), gpu_query (the columns asked of nvidia-smi). Functions of json.sh, process.sh, status.sh.

free_mib() { # of the folder, or of its nearest parent that exists
  folder=$1
  while [ ! -e "$folder" ] && [ -n "$folder" ]; do folder=${folder%/*}; done
  df -Pk "${folder:-/}" 2>/dev/null | { read -r _ && read -r _ _ _ kib _ && echo $((kib / 1024)); }
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
    printf '%s{"name":%s,"vllm_version":%s}' "$separator" "$(str "${venv##*/}")" "$(str "$version")"
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

tools_json() {
  separator=
  for tool in bash cc curl flock git nvidia-smi setsid sha256sum sudo uv; do
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

case $models_path in
  '') models_path=$root/models ;;
  \~/*) models_path=$HOME/${models_path#\~/} ;;
esac
gpu_text=
if command -v nvidia-smi >/dev/null; then
  gpu_text=$(timeout 30 nvidia-smi --format=csv,noheader \
    --query-gpu="$gpu_query" 2>&1)
fi
[ -r /etc/os-release ] && . /etc/os-release
uv=
for path in "$root/bin/uv" "$root/uv/bin/uv" "$(command -v uv)"; do
  if [ -x "$path" ] && "$path" pip install --help 2>/dev/null | grep -q -e --excludes; then
    uv=$path
    break
  fi
done

printf '{"user":%s,"home":%s,"root":%s,"hostname":%s,' \
  "$(str "$(id -un)")" "$(str "$HOME")" "$(str "$root")" "$(str "$(uname -n)")"
printf '"os":%s,"arch":%s,"libc":%s,"rights":%s,' \
  "$(str "${PRETTY_NAME:-unknown}")" "$(str "$(uname -m)")" \
  "$(str "$(getconf GNU_LIBC_VERSION 2>/dev/null)")" "$(str "$(sudo_kind)")"
printf '"gpus":%s,"uv":%s,"tools":{%s},"pythons":[%s],' \
  "$(str "$gpu_text")" "$(str "$uv")" "$(tools_json)" "$(pythons_json)"
printf '"root_free_mib":%s,"models_free_mib":%s,"shm_mib":%s,"memory_mib":%s,' \
  "$(num "$(free_mib "$root")")" "$(num "$(free_mib "$models_path")")" \
  "$(num "$(free_mib /dev/shm)")" "$(num "$(awk '/MemTotal/{print int($2/1024)}' /proc/meminfo)")"
printf '"engines":[%s],"links":{%s},"environment":[%s],"models_path":%s,"models_path_exists":%s,' \
  "$(engines_json)" "$(links_json)" "$(environment_json)" \
  "$(str "$models_path")" "$([ -d "$models_path" ] && echo true || echo false)"
printf '"ports":%s,"jobs":%s}\n' \
  "$(str "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {print $2}')")" \
  "$(jobs_json)"
