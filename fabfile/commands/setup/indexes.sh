# Where packages come from: what pip is told on this pod, in variables or files, uv is told too.

# A setting of pip's files; the later file wins, in a file [install] over [global].
pip_setting() { # NAME
  local file value found=
  for file in /etc/pip.conf /etc/xdg/pip/pip.conf "$HOME/.pip/pip.conf" \
    "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "${PIP_CONFIG_FILE:-}"; do
    [ -f "$file" ] && [ -r "$file" ] || continue
    value=$(awk -v name="$1" '
      /^[ \t]*[#;]/ { next }
      /^\[/ { section = $0; in_it = 0; next }
      /^[^ \t]/ {
        at = match($0, /[=:]/); key = substr($0, 1, at - 1)
        gsub(/[ \t]+$/, "", key); gsub(/_/, "-", key)
        in_it = at && key == name && (section == "[global]" || section == "[install]")
        if (in_it) said[section] = substr($0, at + 1)
        next
      }
      in_it { said[section] = said[section] " " $0 }
      END { print "[install]" in said ? said["[install]"] : said["[global]"] }' "$file" |
      tr -s ' \t\r\n' ' ')
    value=${value# } value=${value% }
    [ -n "$value" ] && found=$value
  done
  printf '%s' "$found"
}

# A folder that the client has and this pod has not can not be looked into.
that_exist() { # SEPARATOR PLACES
  local place kept=
  for place in $2; do
    case $place in
      file://*) [ -e "${place#file://}" ] || continue ;;
      *://*) ;;
      *) [ -e "$place" ] || continue ;;
    esac
    kept=$kept${kept:+$1}$place
  done
  printf '%s' "$kept"
}

set -f
index_from=
if [ -n "${UV_DEFAULT_INDEX:-}" ]; then index_from=UV_DEFAULT_INDEX
elif [ -n "${UV_INDEX_URL:-}" ]; then index_from=UV_INDEX_URL UV_DEFAULT_INDEX=$UV_INDEX_URL
elif [ -n "${PIP_INDEX_URL:-}" ]; then index_from=PIP_INDEX_URL UV_DEFAULT_INDEX=$PIP_INDEX_URL
else
  UV_DEFAULT_INDEX=$(pip_setting index-url)
  [ -n "$UV_DEFAULT_INDEX" ] && index_from="pip's configuration on the pod"
fi
PIP_EXTRA_INDEX_URL=$(that_exist ' ' "${PIP_EXTRA_INDEX_URL:-}")
extra=${PIP_EXTRA_INDEX_URL:-$(that_exist ' ' "$(pip_setting extra-index-url)")}
if [ -n "$extra" ] && [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ]; then
  # pip takes the best of all indexes, uv the first that knows a package.
  UV_INDEX=$extra UV_INDEX_STRATEGY=${UV_INDEX_STRATEGY:-unsafe-best-match}
fi
PIP_FIND_LINKS=$(that_exist ' ' "${PIP_FIND_LINKS:-}")
links=${PIP_FIND_LINKS:-$(that_exist ' ' "$(pip_setting find-links)")}
UV_FIND_LINKS=$(that_exist ',' "$(printf '%s' "${UV_FIND_LINKS:-$links}" | tr ',' ' ')")
UV_INSECURE_HOST=${UV_INSECURE_HOST:-${PIP_TRUSTED_HOST:-$(pip_setting trusted-host)}}
# The authority that signs a closed network's certificates; the hub's client has to know it too.
authority=${PIP_CERT:-$(pip_setting cert)}
trusted=/etc/ssl/certs/ca-certificates.crt
[ "$authority" = $trusted ] && authority=
for name in "$authority" $trusted; do
  [ -z "${SSL_CERT_FILE:-}" ] && [ -f "$name" ] && SSL_CERT_FILE=$name
done
for name in UV_DEFAULT_INDEX UV_INDEX UV_INDEX_STRATEGY UV_FIND_LINKS UV_INSECURE_HOST \
  PIP_EXTRA_INDEX_URL PIP_FIND_LINKS SSL_CERT_FILE; do
  # An empty variable is a wrong value to uv.
  if [ -n "${!name:-}" ]; then export "${name?}"; else unset "$name"; fi
done
set +f

# Where it was looked for, without what may stand in it as user and password.
index_name() {
  if [ -z "${UV_DEFAULT_INDEX:-}" ]; then
    echo "https://pypi.org/simple"
  else
    printf '%s' "$UV_DEFAULT_INDEX" | sed 's#//[^/@]*@#//#'
    printf ' (from %s)\n' "$index_from"
  fi
}

# Say what could not be reached, by what uv or pip printed, and which variable names another.
advise_index() { # LOG
  local place variable=${index_from:-PIP_INDEX_URL}
  place=$(sed -n 's#.*[Ff]ailed to fetch: `\{0,1\}\(https\{0,1\}://[^/` ]*\).*#\1#p' "$1" 2>/dev/null |
    tail -n 1 | sed 's#//[^/@]*@#//#')
  case $place in
    *download.pytorch.org*)
      variable="PIP_FIND_LINKS (a folder of wheels on the pod) or PIP_EXTRA_INDEX_URL" ;;
  esac
  [ "$variable" = "pip's configuration on the pod" ] && variable="PIP_INDEX_URL, or in $variable"
  [ -n "$place" ] && echo "$place can not be reached from this pod" >&2
  echo "if an index is out of reach, name another in $variable and run setup again" >&2
}
