# What takes disk on a pod, as one JSON document after the facts.
# Needs: root, models_path, kept (engine folders in use, one a line). A file that several folders
# share counts for the first of them, so what is kept is counted before what can go.
sizes() {
  du -sk -- "$@" 2>/dev/null | while read -r kib path; do
    case " $wanted " in *" ${path##*/} "*) printf '%s %s\n' "$kib" "${path##*/}" ;; esac
  done
}

unused='' paths=''
set --
for venv in "$root"/engines/*; do
  [ -d "$venv" ] && [ ! -L "$venv" ] || continue
  if printf '%s\n' "$kept" | grep -qxF "${venv##*/}"; then
    set -- "$venv" "$@"
  else
    set -- "$@" "$venv"
    unused="$unused ${venv##*/}"
  fi
done
wanted="$unused uv"
engines=$(sizes "$@" "$root/cache/uv")

runs=$(for run in "$root"/jobs/*/runs/*; do
  [ -d "$run" ] || continue
  job=${run%/runs/*}
  if [ "$(readlink -f "$job/current")" = "$(readlink -f "$run")" ]; then
    alive "$run" && continue
    [ -f "$run/stopped" ] || continue
  fi
  kib=$(du -sk "$run")
  printf '%s %s\n' "${kib%%[!0-9]*}" "jobs/${job##*/}/runs/${run##*/}"
done)

models=$(for folder in "$models_path"/hub/models--*; do
  [ -d "$folder" ] || continue
  kib=$(du -sk "$folder")
  printf '%s %s\n' "${kib%%[!0-9]*}" "${folder##*/}"
done)

printf '{"engines":%s,"runs":%s,"models":%s}\n' "$(str "$engines")" "$(str "$runs")" "$(str "$models")"
