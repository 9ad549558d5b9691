#!/usr/bin/env bash
# The demo: the thermoelectric campaign on the starter set, with everything it writes in one folder; or a further step of
# it: demo.sh FOLDER [power-factor]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh
folder=$1 step=${2:-campaign}

mkdir -p "$folder"
# Settings and data of the demo's own; caches of libraries too, so that nothing outside the folder is touched.
export GEN2DFT_CONFIG_FILE=$folder/config.yaml GEN2DFT_DATA_DIR=$folder GEN2DFT_DATABASE=embedded
export MPLCONFIGDIR=$folder/cache/matplotlib KERAS_HOME=$folder/cache/keras
gen2dft=${VENV:-.venv}/bin/gen2dft

case $step in
    campaign) "$gen2dft" run --campaign thermoelectric ;;
    power-factor) "$gen2dft" power-factor --campaign thermoelectric --top 3 --max-sites 8 --cheapest --cpu-limit 900 ;;
    *) stop "'$step' is not one of campaign, power-factor" ;;
esac
"$gen2dft" report
say "look again:  export GEN2DFT_CONFIG_FILE=$folder/config.yaml GEN2DFT_DATA_DIR=$folder"
say "             $gen2dft status;  $gen2dft hits;  $gen2dft show ID"
