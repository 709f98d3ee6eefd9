# Remove all that is ours from the root; what else lies there stays. Needs: root.
for run in "$root"/jobs/*/current; do
  if [ -e "$run" ] && alive "$run"; then
    job=${run%/current}
    echo "${job##*/} runs; stop it first" >&2
    exit 1
  fi
done
cd "$root" 2>/dev/null || exit 0
rm -rf bin cache engines env env.given env.new jobs lock lock.owner python uv || exit 1
# The hub's cache and what lies beside it; other files in that folder are somebody's own.
for name in hub xet assets modules .locks; do rm -rf "models/$name" || exit 1; done
rmdir models 2>/dev/null
cd /
rmdir "$root" 2>/dev/null || find "$root" -mindepth 1 -maxdepth 1 -printf '%f '
