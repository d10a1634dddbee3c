#!/bin/bash
# Times `dvc repro` after a change of score.resamples, and going back, in a clone of a reproduced checkout.
# usage: benchmarks/dvc_repro.sh [REPRODUCED_CHECKOUT] [CLONE]
#   REPRODUCED_CHECKOUT: default the folder it is called in, with results, DVC's cache and .venv; its dvc.lock is committed or in the working tree
#   CLONE: a folder that is not there yet, default a temporary one
set -euo pipefail
from=$(realpath "${1:-.}")
to=${2:-$(mktemp --directory --dry-run)}
[ ! -e "$to" ] || { echo "error: $to is there already; name another folder" >&2; exit 2; }
git clone --quiet "$from" "$to"
cp "$from/dvc.lock" "$from/params.yaml" "$to/"
cd "$to"
export PATH="$from/.venv/bin:$PATH" PYTHONPATH="$to/src" OMP_NUM_THREADS=1
git -c user.name=m -c user.email=m@example.org commit --quiet --allow-empty --all --message "state to measure"
cache=$(cd "$from" && dvc cache dir)
dvc cache dir --local "$cache"
cp "$from/results/edge/report/metrics.json" "$to.metrics.json" 2>/dev/null || true
echo "== checkout of $(git rev-parse --short HEAD), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
dvc checkout --quiet || dvc checkout
mkdir -p results/edge/report; [ -f results/edge/report/metrics.json ] || cp "$to.metrics.json" results/edge/report/metrics.json
dvc repro --quiet --single-item code
dvc status --quiet || { echo "FAIL: not clean before the change"; dvc status; exit 1; }
snakemake --touch --cores 1 --quiet all -- recorded
snakemake --cores 2 --quiet all --allowed-rules page -- results/edge/report/index.html
git status --short
intervals() { grep -o '\[[-0-9.,  −]*\]' results/edge/report/index.html | sort | sha256sum; }
asked() { find results/edge/responses results/edge/rounds results/edge/robustness -name '*.parquet' -printf '%p %T@\n' | sort | sha256sum; }
before=$(intervals); asked_before=$(asked)
step() {
  local start=$SECONDS; /usr/bin/time -f '%U user %S system %e s wall' dvc repro > "$to.$1.log" 2> "$to.$1.err" || { tail -40 "$to.$1.log" "$to.$1.err"; exit 1; }
  echo "== $1: $((SECONDS - start)) s; $(tail -1 "$to.$1.err")"
  grep -o "Running stage '[^']*'" "$to.$1.log" | sort | uniq -c | sed 's/^/   /' || true
  echo "   from the run cache: $(grep -c 'is cached - skipping run' "$to.$1.log" || true)"
  if grep -E "Running stage '(infer|rounds|robustness|mitigate|directions|gate|fit_|conditional|layer_probes|reference_answers|compress|full_precision)[^']*'" "$to.$1.log"; then echo "FAIL: a model was asked"; exit 1; fi
  [ "$(asked)" = "$asked_before" ] && echo "   no response was written" || { echo "FAIL: responses were written"; exit 1; }
}
python - <<'PY'
import re
from pathlib import Path
path = Path("params.yaml"); text = path.read_text()
new, n = re.subn(r"(^score:\n(?:  .*\n)*?  resamples: )(\d+)", lambda m: f"{m[1]}{int(m[2]) + 7}", text, flags=re.M)
assert n == 1; path.write_text(new)
PY
step change
git diff --stat -- params.yaml
[ "$(intervals)" != "$before" ] && echo "   the page is that of the new numbers" || echo "FAIL: the page is the old one"
git checkout --quiet -- params.yaml
step back
[ "$(intervals)" = "$before" ] && echo "   the page is that of the old numbers again" || echo "FAIL: the page is not that of the numbers"
echo "== git status (nothing below: clean)"; git status --short
dvc status
snakemake --touch --cores 1 --quiet all -- recorded
snakemake --cores 2 --dry-run --quiet host 2>&1 | grep -E "Nothing to be done|^(infer|score|report|page|total) " || true
