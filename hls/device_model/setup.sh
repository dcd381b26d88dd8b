#!/usr/bin/env bash
# setup.sh FOLDER MODEL [NAME BANKS SIZE]: what XRT's software emulation looks for, in FOLDER, with
# MODEL as the device process of a card called NAME with BANKS banks of SIZE (as emconfig.json
# writes it: 16GB). FOLDER/env.sh sets the variables.
set -eu
folder=$1 model=$2
name=${3:-xilinx_u250_gen3x16_xdma_4_1_202210_1} banks=${4:-4} size=${5:-16GB}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
model=$(cd "$(dirname "$model")" && pwd)/$(basename "$model")
lib=$(dirname "$(ldconfig -p | awk '/libxilinxopencl\.so\.2 / { print $NF; exit }')")
[ -e "$lib/libxrt_swemu.so.2" ] || {
	echo "setup: no XRT; make setup-fpga installs libxrt1" >&2
	exit 1
}

# XILINX_XRT: links to the package's libraries, but for the one that is mended.
mkdir -p "$folder/xrt/lib/xrt" "$folder/icd" "$folder/run"
for file in "$lib"/libxrt* "$lib"/libxilinxopencl* "$lib"/libsched_em* "$lib"/libxdp_core*; do
	case $file in
	*.so | *.so.*) ln -sfn "$file" "$folder/xrt/lib/" ;;
	esac
done
ln -sfn "$lib/xrt/module" "$folder/xrt/lib/xrt/module"
"$here/mend.sh" "$lib/libxrt_swemu.so.2" "$folder/xrt/lib/libxrt_swemu.so.2"
ln -sfn libxrt_swemu.so.2 "$folder/xrt/lib/libxrt_swemu.so"
echo libxilinxopencl.so.2 >"$folder/icd/xrt.icd"

# XILINX_VITIS: this version's place of the model, and that of later ones.
for place in cpu_em sw_emu; do
	place=$folder/vitis/data/emulation/unified/$place/generic_pcie/model
	mkdir -p "$place"
	ln -sfn "$model" "$place/genericpciemodel"
done

list=
for ((i = 0; i < banks; i++)); do
	list="$list${list:+, }{\"Size\": \"$size\"}"
done
cat >"$folder/emconfig.json" <<END
{"Version": {"FileVersion": "2.0"},
 "Platform": {"UnifiedPlatform": "true", "ExpandedPR": "false", "Boards": [{"NumBoards": "1",
   "Devices": [{"Name": "$name", "HalMajorVersion": "1", "HalMinorVersion": "0",
     "VendorId": "4334", "SubsystemVendorId": "0", "DeviceVersion": "0", "DataAlignment": "4096",
     "DdrBanks": [$list],
     "OclFreqency": "300", "NumDevices": "1"}]}]}}
END
cat >"$folder/xrt.ini" <<END
[Runtime]
runtime_log=null
END
cat >"$folder/env.sh" <<END
export XILINX_XRT='$folder/xrt' XILINX_VITIS='$folder/vitis' XCL_EMULATION_MODE=sw_emu
export EMCONFIG_PATH='$folder' XRT_INI_PATH='$folder/xrt.ini' SDACCEL_EM_RUN_DIR='$folder/run'
export OCL_ICD_VENDORS='$folder/icd' USER="\${USER:-\$(id -un)}"
END
echo "$folder/env.sh"
