# Remove all that is ours from the root; what else lies there stays. Needs: root.
for run in "$root"/jobs/*/current; do
  if [ -e "$run" ] && alive "$run"; then
    job=${run%/current}
    echo "${job##*/} runs; stop it first" >&2
    exit 1
  fi
done
cd "$root" 2>/dev/null || exit 0
rm -rf bin cache engines env env.new jobs lock lock.owner models python uv || exit 1
cd / && rmdir "$root" 2>/dev/null
exit 0
