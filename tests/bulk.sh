#!/usr/bin/env bash
# bulk.sh BINARY [ROUNDS [LINES]]: tests/cli/bulk.sh alone, by hand, with more and longer kill
# tests: 100 runs over 1,000 lines, each killed at random points until it comes to its end.
set -u
omnitile=$(realpath "$1")
BULK_ROUNDS=${2:-100} BULK_LINES=${3:-1000}
cd "$(dirname "$0")/.."
data=$PWD/tests/golden/data
inputs=$data/inputs
device=configs/devices/example-accelerator.yaml
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export OMT_CACHE_DIR=$tmp/cache
bad=0
eval "$(sed -n '/^check() {/,/^}/p' tests/cli.sh)"
. tests/cli/bulk.sh
exit $bad
