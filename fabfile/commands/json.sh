# JSON from the shell. No process is started for a string that needs no escaping.
str() {
  case $1 in
    *[[:cntrl:]\\\"]*)
      printf '"%s"' "$(printf '%s' "$1" | sed -e 's/[\\"]/\\&/g' -e '$!s/$/\\n/' | tr -d '\000-\037')" ;;
    *) printf '"%s"' "$1" ;;
  esac
}

# A number, or null for what is none.
num() {
  case $1 in
    '' | *[!0-9]*) printf null ;;
    *) printf '%s' "$1" ;;
  esac
}
